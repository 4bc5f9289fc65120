import Foundation
import Messages
import PromptRouting
import StateKeeping

/// What rounds of learning have come to (`nephele learn`), as routes behind those of the operator's files.
struct LearnedRoutes: Sendable {
    let source: any StateSource
    let routing: RoutingSource

    private static let interval: Duration = .seconds(1)

    /// Follows the state until the task is cancelled.
    func keep() async {
        var known: [LearnedRoute] = []
        while !Task.isCancelled {
            if let now = try? await all(), now != known {
                known = now
                routing.amend { $0.adding(now) }
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func all() async throws -> [LearnedRoute] {
        let request = Wire.ListStateRequest(kind: LearnedRoute.kind, limit: 1_000)
        return try await source.list(request).documents.compactMap {
            try? JSONDecoder().decode(LearnedRoute.self, from: Data($0.body))
        }
    }
}

import Foundation
import Messages
package import PromptRouting
import RPC
package import StateKeeping

/// The rounds of learning, and which adapter serves in a model's place: in the state of the gateways.
package struct LearningStore: Sendable {
    private let source: any StateSource
    private let worker = ServiceDescription.newInstanceID()

    private static let kind = "learning round"
    private static let lease: Duration = .seconds(20)
    private static var expiry: Int64 { Int64(Date().timeIntervalSince1970) + 3_650 * 86_400 }

    package init(_ source: any StateSource) { self.source = source }

    /// Rounds, the latest first.
    package func rounds(of model: String? = nil, limit: Int = 20) async throws -> [LearningRound] {
        let request = Wire.ListStateRequest(kind: Self.kind, parent: model ?? "", latestFirst: true, limit: limit)
        return try await source.list(request).documents.map {
            try JSONDecoder().decode(LearningRound.self, from: Data($0.body))
        }
    }

    /// Goes on with the round that another process has left, or begins one.
    ///
    /// - Throws: `LearningError.busy` where another process works on one.
    func begin(_ model: String, old: String) async throws -> LearningRound {
        let claim = Wire.ClaimStateRequest(kind: Self.kind, worker: worker, limit: 16, lease: Self.lease)
        for document in try await source.claim(claim).documents {
            if document.parent == model {
                return try JSONDecoder().decode(LearningRound.self, from: Data(document.body))
            }
            _ = try await source.update(
                .init(kind: Self.kind, id: document.id, worker: worker, lease: .milliseconds(1)))
        }
        let others = Wire.ListStateRequest(kind: Self.kind, parent: model, latestFirst: true, limit: 1)
        if let other = try await source.list(others).documents.first, other.isOpen {
            throw LearningError(.busy, "another nephele learn works on the round \(other.id) of \(model)")
        }
        let round = LearningRound(id: "round-" + ServiceDescription.newInstanceID(), model: model, old: old)
        let document = Wire.StateDocument(
            kind: Self.kind, id: round.id, parent: model, body: Array(try JSONEncoder().encode(round)), isOpen: true,
            expires: Self.expiry)
        _ = try await source.put(.init(documents: [document], worker: worker, lease: Self.lease))
        return round
    }

    /// Writes a round down, and keeps its lease.
    ///
    /// - Throws: `LearningError.busy` where the round is another process's by now.
    func save(_ round: LearningRound, isOver: Bool = false) async throws {
        var request = Wire.UpdateStateRequest(kind: Self.kind, id: round.id, worker: worker)
        (request.body, request.requiresOpen) = (Array(try JSONEncoder().encode(round)), true)
        (request.isOpen, request.lease) = (!isOver, isOver ? .zero : Self.lease)
        guard try await source.update(request).isMade else {
            throw LearningError(.busy, "another nephele learn goes on with the round \(round.id)")
        }
    }

    /// What serves in the place of a model now.
    package func route(of model: String) async throws -> LearnedRoute? {
        let request = Wire.FindStateRequest(kind: LearnedRoute.kind, id: model)
        return try await source.find(request).document.map {
            try JSONDecoder().decode(LearnedRoute.self, from: Data($0.body))
        }
    }

    func put(_ route: LearnedRoute) async throws {
        let body = Array(try JSONEncoder().encode(route))
        let document = Wire.StateDocument(kind: LearnedRoute.kind, id: route.model, body: body, expires: Self.expiry)
        guard try await source.put(.init(documents: [document])).added == 0 else { return }
        _ = try await source.update(.init(kind: LearnedRoute.kind, id: route.model, body: body))
    }
}

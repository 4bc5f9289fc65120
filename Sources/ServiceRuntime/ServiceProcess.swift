import Foundation
import Logging
package import ServiceLifecycle

/// A process that is a service: it runs until SIGTERM, SIGINT, or the end of its supervisor.
package enum ServiceProcess {
    /// Runs the services until the process is asked to stop, then shuts them down gracefully.
    package static func run(_ services: [any Service], label: String) async throws {
        let logger = Logger(label: label)
        var configurations = services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
        if ProcessInfo.processInfo.environment["NEPHELE_LIFELINE"] == "stdin" {
            configurations.append(.init(service: Lifeline(), successTerminationBehavior: .gracefullyShutdownGroup))
        }
        let group = ServiceGroup(
            configuration: .init(
                services: configurations, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}

/// Returns when standard input ends: the supervisor holds its other end, and is gone then.
private struct Lifeline: Service {
    func run() async throws {
        let (ended, continuation) = AsyncStream<Void>.makeStream()
        let input = FileHandle.standardInput
        input.readabilityHandler = { handle in
            if handle.availableData.isEmpty { continuation.finish() }
        }
        defer { input.readabilityHandler = nil }
        await cancelWhenGracefulShutdown {
            for await _ in ended {}
        }
    }
}

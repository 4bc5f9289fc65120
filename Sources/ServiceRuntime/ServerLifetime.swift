import Logging
package import RPC
import ServiceLifecycle

/// Serves until SIGTERM or SIGINT, then drains: no new calls, running ones finish within the grace period.
package struct ServerLifetime: Service {
    private let server: RPCServer
    private let grace: Duration
    private let logger: Logger

    package init(_ server: RPCServer, grace: Duration = .seconds(30), label: String) {
        self.server = server
        self.grace = grace
        logger = Logger(label: label)
    }

    package func run() async throws {
        let logger = logger
        let description = server.description
        try await cancelWhenGracefulShutdown {
            try await server.run(grace: grace) { addresses in
                let models = description.models.map { $0.name }.joined(separator: ", ")
                logger.info("serving \(models) at \(addresses.joined(separator: ", "))")
            }
        }
        logger.info("stopped")
    }

    /// Runs the server as the whole of a process.
    package static func serve(_ server: RPCServer, label: String) async throws {
        try await ServiceProcess.run([ServerLifetime(server, label: label)], label: label)
    }
}

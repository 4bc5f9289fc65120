import ArgumentParser
import Foundation
import GatewayClient
import RPC
import ZeroMQTransport

struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Succeeds when a service answers and is ready; for health checks.",
        discussion: "TARGET is a gateway's http://HOST:PORT, or a service on the bus: tcp://127.0.0.1:7002.")

    @Argument(help: "What is asked.")
    var target: String

    @Option(help: "Seconds to wait for an answer.")
    var timeout: Int = 3

    func run() async throws {
        if target.hasPrefix("http") {
            guard await (try GatewayClient(address: target, patience: Double(timeout))).isReady() else {
                throw ExitCode.failure
            }
            return
        }
        let client = try RPCClient(target: target)
        do {
            try await client.waitUntil(timeout: .seconds(timeout)) { $0.contains { $0.state == .ready } }
        } catch let error as RPCError {
            // Docker keeps it with the state of the container.
            FileHandle.standardError.write(Data("\(error.message)\n".utf8))
            throw ExitCode.failure
        }
    }
}

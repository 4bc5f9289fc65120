import ArgumentParser
import Foundation
import GatewayClient

/// Which gateway a command talks to.
struct GatewayOption: ParsableArguments {
    @Option(name: .customLong("gateway"), help: "The gateway's address; NEPHELE_GATEWAY, else http://127.0.0.1:8080.")
    var address: String?

    @Option(help: "Your key, where the gateway wants one; better in NEPHELE_API_KEY, which other users do not see.")
    var apiKey: String?

    func client() throws -> GatewayClient {
        let environment = ProcessInfo.processInfo.environment["NEPHELE_GATEWAY"]
        return try GatewayClient(
            address: address ?? environment ?? "http://127.0.0.1:8080",
            key: apiKey ?? ProcessInfo.processInfo.environment["NEPHELE_API_KEY"])
    }
}

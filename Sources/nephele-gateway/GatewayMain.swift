import ArgumentParser
import Gateway
import Hummingbird
import RPC
import ZeroMQTransport

@main
struct GatewayMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nephele-gateway", abstract: "Speaks OpenAI's HTTP API for the services on the bus.")

    @Option(name: .long, help: "The tokenizers: ipc:///path/tokenizer-*.sock, tcp://host:port or dns://name:port.")
    var tokenizer: String

    @Option(name: .long, help: "The text-models: ipc:///path/text-model-*.sock, tcp://host:port or dns://name:port.")
    var textModel: String

    @Option(name: .long, help: "The address to listen at.")
    var host: String = "127.0.0.1"

    @Option(name: .long, help: "The port to listen at.")
    var port: Int = 8080

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port); give 0 to 65535") }
    }

    func run() async throws {
        let fleet = Fleet(tokenizer: try RPCClient(target: tokenizer), textModel: try RPCClient(target: textModel))
        let application = Application(
            router: Gateway(fleet: fleet).router(),
            configuration: .init(address: .hostname(host, port: port), serverName: "nephele"))
        try await application.runService()
    }
}

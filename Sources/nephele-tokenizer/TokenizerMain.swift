import ArgumentParser
import Logging
import RPC
import ServiceRuntime
import TokenizerService
import Tokenizers
import ZeroMQTransport

@main
struct TokenizerMain: ConfigurableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nephele-tokenizer", abstract: "Serves the tokenizers of one or more models on the bus.")

    @Option(name: .long, help: "A model by name, or as NAME=DIRECTORY; may be repeated.")
    var model: [ModelArgument]

    @Option(name: .long, help: "Where to serve: ipc:///path/tokenizer-1.sock or tcp://127.0.0.1:7001.")
    var bind: String

    @OptionGroup var process: ProcessOptions

    static let sections = [ConfigurationSection("tokenizer", Self.self)]

    func run() async throws {
        ServiceLog.bootstrap()
        try ZeroMQTransport.share(keysIn: process.busKeys)
        var tokenizers: [String: Tokenizer] = [:]
        var faults: [String: TokenizerError] = [:]
        let log = Logger(label: "nephele-tokenizer")
        for model in model {
            do { tokenizers[model.name] = try Tokenizer(directory: model.directory(.text)) } catch {
                let fault = error as? TokenizerError ?? TokenizerError(.unreadable, "\(error)")
                // One model's fault is not the others'.
                guard self.model.count > 1 else { throw fault }
                log.error("the model \"\(model.name)\" is not served: \(fault.message)")
                faults[model.name] = fault
            }
        }
        for note in tokenizers.values.flatMap(\.notes) { log.warning("\(note)") }
        for (name, tokenizer) in tokenizers.sorted(by: { $0.key < $1.key }) where tokenizer.chatTemplate == nil {
            log.info(
                "the model \"\(name)\" has no chat template: where it generates text, chats reach it as plain lines")
        }
        if tokenizers.isEmpty, let fault = faults.values.first { throw fault }
        let places = Dictionary(model.map { ($0.name, $0) }) { $1 }
        let service = TokenizerService(tokenizers: tokenizers, faults: faults) { name in
            guard let place = places[name] else { throw ValidationError("there is no model '\(name)' here") }
            return try Tokenizer(directory: place.directory(.text))
        }
        let server = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [try ZeroMQTransport.shared().server(bind)],
            interceptors: [CallLog(label: "nephele-tokenizer")])
        service.keepDescribed(by: server)
        try await ServerLifetime.serve(server, label: "nephele-tokenizer")
    }
}

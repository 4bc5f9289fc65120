import ArgumentParser
import Console
import Foundation
import GatewayClient

struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Chats with a text model; Ctrl-D or /exit ends, /clear forgets what was said.")

    @OptionGroup var gateway: GatewayOption

    @Option(help: "The model; the gateway's first text model by default.")
    var model: String?

    @Option(help: "0 always takes the likeliest token; the model's own by default.")
    var temperature: Float?

    @Option(help: "Tokens of an answer, at most.")
    var maxTokens: Int?

    @Option(help: "Equal seeds give equal answers.")
    var seed: Int64?

    @Argument(help: "A single question; without it the chat is interactive.")
    var question: String?

    func run() async throws {
        let client = try gateway.client()
        let name = try await client.model(model, modality: "text")
        var conversation = Conversation(client: client, model: name)
        if let question {
            _ = try await conversation.ask(question, temperature: temperature, maxTokens: maxTokens, seed: seed)
            Terminal.line()
            return
        }
        if Terminal.isInteractive { Terminal.line("\(name) listens; Ctrl-D or /exit ends, /clear starts anew.") }
        prompt()
        for await line in Self.lines() {
            switch line.trimmingCharacters(in: .whitespaces) {
            case "": break
            case "/exit": return
            case "/clear": conversation = Conversation(client: client, model: name)
            default:
                do {
                    let answer = try await conversation.ask(
                        line, temperature: temperature, maxTokens: maxTokens, seed: seed)
                    Terminal.line()
                    if Terminal.isInteractive, let rate = answer.rate {
                        Terminal.line("\u{1B}[2m(\(answer.tokens) tokens, \(Int(rate.rounded())) tokens/s)\u{1B}[0m")
                    }
                } catch let error as GatewayClientError where error.code == .refused {
                    Terminal.line("\n\(error.message)")
                }
            }
            prompt()
        }
        if Terminal.isInteractive { Terminal.line() }
    }

    private func prompt() { if Terminal.isInteractive { Terminal.write("> ") } }

    /// Standard input, line by line, read on a thread that may block.
    private static func lines() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        Thread.detachNewThread {
            while let line = readLine() { continuation.yield(line) }
            continuation.finish()
        }
        return stream
    }
}

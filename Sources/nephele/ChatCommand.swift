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

    @Option(
        help: ArgumentHelp("A file with a JSON Schema that answers keep.", valueName: "file"), completion: .file())
    var schema: String?

    @Option(
        help: ArgumentHelp(
            "A file with a function that the model may call: a JSON object with a name, a description and parameters, a schema of its arguments. Can be given several times.",
            discussion: "Calls are shown; what you type then is what the function gave back.", valueName: "file"),
        completion: .file())
    var tool: [String] = []

    @Argument(help: "A single question; without it the chat is interactive.")
    var question: String?

    func run() async throws {
        let options = Conversation.Options(
            temperature: temperature, maxTokens: maxTokens, seed: seed,
            schema: try schema.map { try Self.json(in: $0) },
            tools: try tool.map(Self.tool))
        let client = try gateway.client()
        let name = try await client.model(model, modality: "text")
        var conversation = Conversation(client: client, model: name, options: options)
        if let question {
            let answer = try await conversation.ask(question)
            if !answer.text.isEmpty || answer.calls.isEmpty { Terminal.line() }
            for call in answer.calls { Terminal.line(Self.text(of: call)) }
            return
        }
        if Terminal.isInteractive { Terminal.line("\(name) listens; Ctrl-D or /exit ends, /clear starts anew.") }
        prompt()
        /// Calls whose results are to come, and those that have.
        var open: [ChatRequest.ToolCall] = [], results: [String] = []
        for await line in Self.lines() {
            switch line.trimmingCharacters(in: .whitespaces) {
            case "" where open.isEmpty: break
            case "/exit": return
            case "/clear":
                conversation = Conversation(client: client, model: name, options: options)
                (open, results) = ([], [])
            default:
                do {
                    let answer: Conversation.Answer
                    if open.isEmpty {
                        answer = try await conversation.ask(line)
                    } else {
                        results.append(line)
                        if results.count < open.count { break }
                        answer = try await conversation.answer(open, with: results)
                    }
                    (open, results) = (answer.calls, [])
                    Terminal.line()
                    for call in open { Terminal.line(Self.text(of: call)) }
                    if Terminal.isInteractive, let rate = answer.rate {
                        Terminal.line("\u{1B}[2m(\(answer.tokens) tokens, \(Int(rate.rounded())) tokens/s)\u{1B}[0m")
                    }
                } catch let error as GatewayClientError where error.code == .refused {
                    (open, results) = ([], [])
                    Terminal.line("\n\(error.message)")
                }
            }
            prompt(
                open.indices.contains(results.count) ? "\(open[results.count].function.name ?? "") gave back: " : "> ")
        }
        if Terminal.isInteractive { Terminal.line() }
    }

    /// A call as JSON.
    private static func text(of call: ChatRequest.ToolCall) -> String {
        let arguments = Terminal.printable(call.function.arguments)
        return "{\"name\": \"\(Terminal.printable(call.function.name ?? ""))\", \"arguments\": \(arguments)}"
    }

    /// - Throws: `ValidationError` for a file that cannot be read, or is no JSON.
    private static func json(in file: String) throws -> String {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: file)) } catch {
            throw ValidationError("\(file) cannot be read: \(error.localizedDescription)")
        }
        guard let text = String(data: data, encoding: .utf8),
            (try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)) != nil
        else { throw ValidationError("\(file) is no JSON") }
        return text
    }

    /// A function in OpenAI's form; the file may have it with or without its frame.
    private static func tool(in file: String) throws -> String {
        let text = try json(in: file)
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            throw ValidationError("\(file) holds no JSON object")
        }
        if object["function"] is [String: Any] { return text }
        guard object["name"] is String else { throw ValidationError("\(file) names no function: 'name' is missing") }
        return "{\"type\":\"function\",\"function\":\(text)}"
    }

    private func prompt(_ text: String = "> ") {
        if Terminal.isInteractive { Terminal.write(Terminal.printable(text)) }
    }

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

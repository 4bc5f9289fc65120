import Console
import Foundation
import GatewayClient

/// Chats with a gateway, and shows the text as it comes.
struct Conversation {
    struct Answer: Sendable {
        var text = ""
        var calls: [ChatRequest.ToolCall] = []
        var tokens = 0
        /// Tokens per second from the first text to the last.
        var rate: Double?
    }

    /// What holds for every answer.
    struct Options: Sendable {
        var temperature: Float?
        var maxTokens: Int?
        var seed: Int64?
        /// The text of a JSON Schema that answers keep.
        var schema: String?
        /// Texts of functions that the model may call, in OpenAI's form.
        var tools: [String] = []
    }

    let client: GatewayClient
    let model: String
    let options: Options
    private(set) var messages: [ChatRequest.Message] = []

    init(client: GatewayClient, model: String, options: Options) {
        (self.client, self.model, self.options) = (client, model, options)
    }

    /// - Throws: `GatewayClientError`; the question is forgotten then.
    mutating func ask(_ question: String) async throws -> Answer {
        try await answer(to: [ChatRequest.Message(role: "user", content: question)])
    }

    /// Goes on after calls of tools.
    ///
    /// - Parameter results: what each of them gave back, in their order.
    mutating func answer(_ calls: [ChatRequest.ToolCall], with results: [String]) async throws -> Answer {
        try await answer(
            to: zip(calls, results).map { call, result in
                var message = ChatRequest.Message(role: "tool", content: result)
                message.tool_call_id = call.id
                return message
            })
    }

    private mutating func answer(to turns: [ChatRequest.Message]) async throws -> Answer {
        var request = ChatRequest(model: model, messages: messages + turns)
        request.temperature = options.temperature
        request.max_tokens = options.maxTokens
        request.seed = options.seed
        (request.schema, request.tools) = (options.schema, options.tools)
        var answer = Answer()
        var first: ContinuousClock.Instant?, last = ContinuousClock.now
        var isThinking = false
        for try await event in client.events("v1/chat/completions", json: try request.body()) {
            let chunk = try JSONDecoder().decode(ChatChunk.self, from: event)
            if let usage = chunk.usage { answer.tokens = usage.completion_tokens }
            guard let delta = chunk.choices.first?.delta else { continue }
            let thought = delta.reasoning ?? "", text = delta.content ?? ""
            for part in delta.tool_calls ?? [] { Self.add(part, to: &answer.calls) }
            if thought.isEmpty, text.isEmpty, delta.tool_calls == nil { continue }
            last = .now
            if first == nil { first = last }
            // Thoughts are for who looks on, and no part of what a program reads.
            if Terminal.isInteractive, !thought.isEmpty {
                Terminal.write((isThinking ? "" : "\u{1B}[2m") + Terminal.printable(thought))
                isThinking = true
            }
            if isThinking, !text.isEmpty || delta.tool_calls != nil {
                Terminal.write("\u{1B}[0m\n\n")
                isThinking = false
            }
            answer.text += text
            Terminal.write(Terminal.printable(text))
        }
        if isThinking { Terminal.write("\u{1B}[0m") }
        if let first, last > first, answer.tokens > 1 {
            answer.rate = Double(answer.tokens - 1) / ((last - first) / .seconds(1))
        }
        var message = ChatRequest.Message(
            role: "assistant", content: answer.calls.isEmpty || !answer.text.isEmpty ? answer.text : nil)
        if !answer.calls.isEmpty { message.tool_calls = answer.calls }
        messages += turns + [message]
        return answer
    }

    private static func add(_ part: ChatRequest.ToolCall, to calls: inout [ChatRequest.ToolCall]) {
        if part.id != nil {
            calls.append(part)
            calls[calls.count - 1].index = nil
        } else if let last = calls.indices.last {
            calls[last].function.arguments += part.function.arguments
        }
    }
}

import Console
import Foundation
import GatewayClient

/// Chats with a gateway, and shows the text as it comes.
struct Conversation {
    struct Answer: Sendable {
        var text = ""
        var tokens = 0
        /// Tokens per second from the first text to the last.
        var rate: Double?
    }

    let client: GatewayClient
    let model: String
    private(set) var messages: [ChatRequest.Message] = []

    init(client: GatewayClient, model: String) { (self.client, self.model) = (client, model) }

    /// - Throws: `GatewayClientError`; the question is forgotten then.
    mutating func ask(_ question: String, temperature: Float?, maxTokens: Int?, seed: Int64?) async throws -> Answer {
        var request = ChatRequest(model: model, messages: messages + [.init(role: "user", content: question)])
        request.temperature = temperature
        request.max_tokens = maxTokens
        request.seed = seed
        var answer = Answer()
        var first: ContinuousClock.Instant?, last = ContinuousClock.now
        for try await event in try client.events("v1/chat/completions", request) {
            let chunk = try JSONDecoder().decode(ChatChunk.self, from: event)
            if let usage = chunk.usage { answer.tokens = usage.completion_tokens }
            guard let text = chunk.choices.first?.delta.content, !text.isEmpty else { continue }
            last = .now
            if first == nil { first = last }
            answer.text += text
            Terminal.write(Terminal.printable(text))
        }
        if let first, last > first, answer.tokens > 1 {
            answer.rate = Double(answer.tokens - 1) / ((last - first) / .seconds(1))
        }
        messages.append(.init(role: "user", content: question))
        messages.append(.init(role: "assistant", content: answer.text))
        return answer
    }
}

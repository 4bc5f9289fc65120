import Foundation
import Hummingbird
import Messages
import RPC

/// The chunks of one kind of completion.
protocol ChunkForm: Sendable {
    associatedtype Chunk: Encodable
    /// What a choice begins with, if anything.
    func opening(_ generation: Generation, choice: Int) -> Chunk?
    func chunk(_ generation: Generation, _ delta: GenerateDelta) -> Chunk
    func usage(_ generation: Generation, _ usage: Usage) -> Chunk
}

struct ChatChunks: ChunkForm {
    func opening(_ generation: Generation, choice: Int) -> ChatCompletion? {
        chunk(generation, [.init(index: choice, delta: .init(role: "assistant", content: ""))])
    }

    func chunk(_ generation: Generation, _ delta: GenerateDelta) -> ChatCompletion {
        let text = delta.text.isEmpty ? ChatCompletion.Text() : .init(content: delta.text)
        let reason = delta.finishReason.isEmpty ? nil : delta.finishReason
        return chunk(generation, [.init(index: Int(delta.choice), delta: text, finish_reason: reason)])
    }

    func usage(_ generation: Generation, _ usage: Usage) -> ChatCompletion {
        var chunk = chunk(generation, [])
        chunk.usage = usage
        return chunk
    }

    private func chunk(_ generation: Generation, _ choices: [ChatCompletion.Choice]) -> ChatCompletion {
        ChatCompletion(
            id: generation.id, object: "chat.completion.chunk", created: generation.created, model: generation.model,
            system_fingerprint: generation.fingerprint, choices: choices)
    }
}

struct TextChunks: ChunkForm {
    func opening(_ generation: Generation, choice: Int) -> TextCompletion? { nil }

    func chunk(_ generation: Generation, _ delta: GenerateDelta) -> TextCompletion {
        let reason = delta.finishReason.isEmpty ? nil : delta.finishReason
        return chunk(generation, [.init(index: Int(delta.choice), text: delta.text, finish_reason: reason)])
    }

    func usage(_ generation: Generation, _ usage: Usage) -> TextCompletion {
        var chunk = chunk(generation, [])
        chunk.usage = usage
        return chunk
    }

    private func chunk(_ generation: Generation, _ choices: [TextCompletion.Choice]) -> TextCompletion {
        TextCompletion(
            id: generation.id, created: generation.created, model: generation.model,
            system_fingerprint: generation.fingerprint, choices: choices)
    }
}

/// Server-sent events as OpenAI's clients read them: `data: {…}` lines, an error as an event, `[DONE]` at the end.
enum EventStream {
    /// The response to a streamed request. Its first delta is awaited, so that a refusal has its own status.
    ///
    /// - Throws: `APIError` when the text-model refuses.
    static func response(
        _ generation: Generation, includesUsage: Bool, form: some ChunkForm
    ) async throws -> Response {
        let first: GenerateDelta?
        do {
            first = try await generation.replies.next()?.message
        } catch let error as RPCError {
            throw APIError(error)
        }
        return response { writer in
            for choice in 0..<generation.choices {
                if let opening = form.opening(generation, choice: choice) { try await writer.write(event(opening)) }
            }
            var tokens = 0
            var delta = first
            while let current = delta {
                if current.token != nil { tokens += 1 }
                if !current.text.isEmpty || !current.finishReason.isEmpty {
                    try await writer.write(event(form.chunk(generation, current)))
                }
                delta = try await generation.replies.next()?.message
            }
            if includesUsage {
                let usage = Usage(prompt: generation.promptTokens, completion: tokens)
                try await writer.write(event(form.usage(generation, usage)))
            }
        }
    }

    /// A stream of what `body` writes and `[DONE]`, or of an error event when a service fails in its midst.
    static func response(
        _ body: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        let body = ResponseBody { writer in
            do {
                try await body(&writer)
                try await writer.write(ByteBuffer(string: "data: [DONE]\n\n"))
            } catch let error as RPCError {
                try await writer.write(event(APIError(error).body))
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"],
            body: body)
    }

    static func event(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var buffer = ByteBuffer(string: "data: ")
        buffer.writeBytes(try encoder.encode(value))
        buffer.writeString("\n\n")
        return buffer
    }
}

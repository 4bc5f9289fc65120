import Foundation
import Hummingbird
import JSON
import Messages
import RPC

/// A generation on its way to a client as Anthropic's message.
struct AnthropicAnswer: Sendable {
    private let generation: Generation
    private let showsThoughts: Bool
    /// Whether there is less room for the answer than the client has asked for.
    private let fillsContext: Bool

    init(_ generation: Generation, of model: ModelDescription, to request: AnthropicRequest) {
        (self.generation, showsThoughts) = (generation, request.showsThoughts)
        let call = generation.parts.first?.call.request
        let count = Int(call?.maxTokens ?? 0)
        fillsContext =
            count < request.conversation.parameters.max_tokens ?? 0
            && (call?.prompt.count ?? 0) + count >= model.contextLength
    }

    /// How an answer ends, in Anthropic's words.
    private struct End: Sendable {
        var reason = ""
        var sequence = ""
        var usage: Usage

        mutating func take(_ delta: AnswerDelta) {
            usage.count(delta)
            if !delta.finishReason.isEmpty { reason = delta.finishReason }
            if !delta.stopSequence.isEmpty { sequence = delta.stopSequence }
        }

        func write(to json: inout JSONWriter, fillsContext: Bool) {
            let ownReason =
                switch reason {
                case "length": fillsContext ? "model_context_window_exceeded" : "max_tokens"
                case "tool_calls": "tool_use"
                case "content_filter": "refusal"
                default: sequence.isEmpty ? "end_turn" : "stop_sequence"
                }
            json.field("stop_reason", ownReason)
            json.field("stop_sequence", orNull: ownReason == "stop_sequence" ? sequence : nil)
        }
    }

    /// The message before anything of it is there.
    private func opening(_ json: inout JSONWriter) {
        json.field("id", generation.id)
        json.field("type", "message")
        json.field("role", "assistant")
        json.field("model", generation.model)
    }

    func whole() async throws -> Response {
        var (blocks, end) = (AnswerBlocks(), End(usage: generation.usage))
        var deltas = generation.deltas()
        do {
            while let delta = try await deltas.next() {
                end.take(delta)
                _ = blocks.take(delta)
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return JSONResponse.make(
            WrittenJSON { [blocks = blocks.blocks, end] json in
                json.object { json in
                    opening(&json)
                    json.field("content") { $0.array(blocks) { write($1, whole: true, to: &$0) } }
                    end.write(to: &json, fillsContext: fillsContext)
                    json.field("usage") { write(end.usage, to: &$0) }
                }
            })
    }

    private func write(_ block: AnswerBlocks.Block, whole isWhole: Bool, to json: inout JSONWriter) {
        let text = isWhole ? block.text : ""
        json.object { json in
            switch block.part {
            case .content:
                json.field("type", "text")
                json.field("text", text)
            case .reasoning:
                json.field("type", "thinking")
                json.field("thinking", showsThoughts ? text : "")
                json.field("signature", isWhole ? Self.signature : "")
            case .call:
                json.field("type", "tool_use")
                json.field("id", block.call?.id ?? "")
                json.field("name", block.call?.name ?? "")
                // A call that was cut has no input yet.
                let input = isWhole ? try? JSONParser.parse(Array(text.utf8)) : nil
                json.field("input") { $0.written(input?.bytes ?? Array("{}".utf8)) }
            }
        }
    }

    /// Thoughts are not signed here; clients want a word all the same, and send it back.
    private static let signature = "unsigned"

    private func write(_ usage: Usage, to json: inout JSONWriter) {
        json.object { json in
            // Tokens that came from the cache are counted by themselves.
            json.field("input_tokens", usage.prompt - usage.cached)
            json.field("cache_creation_input_tokens", 0)
            json.field("cache_read_input_tokens", usage.cached)
            json.field("output_tokens", usage.completion)
            if usage.reasoning > 0 {
                json.field("output_tokens_details") { $0.object { $0.field("thinking_tokens", usage.reasoning) } }
            }
        }
    }

    // MARK: Streams

    func stream() -> Response {
        EventStream.response(
            ResponseBody { writer in
                do {
                    try await write(to: &writer)
                } catch let error as RPCError {
                    try await writer.write(EventStream.event(APIError(error), in: .anthropic))
                }
                try await writer.finish(nil)
            })
    }

    private func write(to writer: inout any ResponseBodyWriter) async throws {
        var usage = generation.usage
        usage.cached = generation.parts.reduce(0) { $0 + Int($1.first?.cachedTokens ?? 0) }
        try await writer.write(
            event("message_start") { json in
                json.field("message") { json in
                    json.object { json in
                        opening(&json)
                        json.field("content") { $0.array([Never]()) { _, _ in } }
                        json.field("stop_reason", orNull: nil as String?)
                        json.field("stop_sequence", orNull: nil as String?)
                        json.field("usage") { write(usage, to: &$0) }
                    }
                }
            })
        try await writer.write(event("ping") { _ in })
        var (blocks, end) = (AnswerBlocks(), End(usage: generation.usage))
        var deltas = generation.deltas()
        while let delta = try await deltas.next() {
            end.take(delta)
            for change in blocks.take(delta) { try await write(change, of: blocks, to: &writer) }
        }
        for change in blocks.end() { try await write(change, of: blocks, to: &writer) }
        try await writer.write(
            event("message_delta") { [end] json in
                json.field("delta") { $0.object { end.write(to: &$0, fillsContext: fillsContext) } }
                json.field("usage") { write(end.usage, to: &$0) }
            })
        try await writer.write(event("message_stop") { _ in })
    }

    private func write(
        _ change: AnswerBlocks.Change, of blocks: AnswerBlocks, to writer: inout any ResponseBodyWriter
    ) async throws {
        switch change {
        case .began(let index):
            try await writer.write(
                event("content_block_start") {
                    $0.field("index", index)
                    $0.field("content_block") { write(blocks.blocks[index], whole: false, to: &$0) }
                })
        case .text(let index, let text):
            switch blocks.blocks[index].part {
            case .content: try await writer.write(delta(index, "text_delta", "text", text))
            case .reasoning where !showsThoughts: return
            case .reasoning: try await writer.write(delta(index, "thinking_delta", "thinking", text))
            case .call: try await writer.write(delta(index, "input_json_delta", "partial_json", text))
            }
        case .ended(let index):
            if blocks.blocks[index].part == .reasoning {
                try await writer.write(delta(index, "signature_delta", "signature", Self.signature))
            }
            try await writer.write(event("content_block_stop") { $0.field("index", index) })
        }
    }

    private func delta(_ index: Int, _ type: String, _ field: String, _ text: String) -> ByteBuffer {
        event("content_block_delta") { json in
            json.field("index", index)
            json.field("delta") { json in
                json.object {
                    $0.field("type", type)
                    $0.field(field, text)
                }
            }
        }
    }

    private func event(_ type: String, _ fields: @escaping (inout JSONWriter) -> Void) -> ByteBuffer {
        EventStream.event(
            type,
            WrittenJSON { json in
                json.object { json in
                    json.field("type", type)
                    fields(&json)
                }
            })
    }
}

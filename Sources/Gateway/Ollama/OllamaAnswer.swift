import Foundation
import Hummingbird
import JSON
import Messages
import RPC

/// A generation on its way to a client as Ollama's objects: one, or one a line.
struct OllamaAnswer: Sendable {
    /// Whether the answer is a chat's message, or a plain text.
    let isChat: Bool
    private let generation: Generation
    private let createdAt: String
    private let wantsLogprobs: Bool

    init(_ generation: Generation, isChat: Bool, logprobs: Bool) {
        (self.generation, self.isChat, wantsLogprobs) = (generation, isChat, logprobs)
        createdAt = Date(timeIntervalSince1970: TimeInterval(generation.created)).ISO8601Format()
    }

    /// What one object says.
    private struct Piece: Sendable {
        var text = ""
        var thinking = ""
        var calls: [AnswerBlocks.Block] = []
        var logprobs: [Wire.TokenLogprob] = []

        var isEmpty: Bool { text.isEmpty && thinking.isEmpty && calls.isEmpty && logprobs.isEmpty }
    }

    /// Brings what deltas bring into pieces.
    private struct Reader: Sendable {
        private var blocks = AnswerBlocks()
        private(set) var usage: Usage
        private(set) var reason = "stop"

        init(_ usage: Usage) { self.usage = usage }

        mutating func take(_ delta: AnswerDelta, into piece: inout Piece) {
            usage.count(delta)
            if let logprob = delta.logprob { piece.logprobs.append(logprob) }
            if !delta.finishReason.isEmpty, delta.finishReason != "tool_calls" { reason = delta.finishReason }
            for change in blocks.take(delta) { add(change, to: &piece) }
        }

        mutating func end(into piece: inout Piece) { for change in blocks.end() { add(change, to: &piece) } }

        private func add(_ change: AnswerBlocks.Change, to piece: inout Piece) {
            switch change {
            case .began: break
            case .text(let index, let text):
                switch blocks.blocks[index].part {
                case .content: piece.text += text
                case .reasoning: piece.thinking += text
                case .call: break
                }
            // A call is told as a whole; one that was cut is none.
            case .ended(let index): if blocks.blocks[index].input != nil { piece.calls.append(blocks.blocks[index]) }
            }
        }
    }

    private func write(_ piece: Piece, _ end: Reader?, to json: inout JSONWriter) {
        json.object { json in
            json.field("model", generation.model)
            json.field("created_at", createdAt)
            if isChat {
                json.field("message") { json in
                    json.object { json in
                        json.field("role", "assistant")
                        json.field("content", piece.text)
                        if !piece.thinking.isEmpty { json.field("thinking", piece.thinking) }
                        if !piece.calls.isEmpty { json.field("tool_calls") { write(piece.calls, to: &$0) } }
                    }
                }
            } else {
                json.field("response", piece.text)
                if !piece.thinking.isEmpty { json.field("thinking", piece.thinking) }
            }
            if wantsLogprobs { json.field("logprobs", ChatLogprobs(piece.logprobs).content) }
            json.field("done") { $0.bool(end != nil) }
            guard let end else { return }
            json.field("done_reason", end.reason)
            let state = generation.record.snapshot
            let first = state.firstToken ?? .now
            json.field("total_duration", (.now - state.started).nanoseconds)
            json.field("load_duration", 0)
            json.field("prompt_eval_count", end.usage.prompt)
            json.field("prompt_eval_duration", (first - state.started).nanoseconds)
            json.field("eval_count", end.usage.completion)
            json.field("eval_duration", (.now - first).nanoseconds)
        }
    }

    private func write(_ calls: [AnswerBlocks.Block], to json: inout JSONWriter) {
        json.array(calls) { json, block in
            json.object { json in
                json.field("id", block.call?.id ?? "")
                json.field("function") { json in
                    json.object {
                        $0.field("name", block.call?.name ?? "")
                        $0.field("arguments") { $0.written(block.input?.bytes ?? []) }
                    }
                }
            }
        }
    }

    func whole() async throws -> Response {
        var (reader, piece) = (Reader(generation.usage), Piece())
        var deltas = generation.deltas()
        do { while let delta = try await deltas.next() { reader.take(delta, into: &piece) } } catch let error
            as RPCError
        {
            throw APIError(error)
        }
        reader.end(into: &piece)
        return JSONResponse.make(WrittenJSON { [piece, reader] in write(piece, reader, to: &$0) })
    }

    func stream() -> Response {
        var headers: HTTPFields = [.contentType: "application/x-ndjson", .cacheControl: "no-cache"]
        headers[own: FieldName.buffering] = "no"
        let body = ResponseBody { writer in
            do {
                var reader = Reader(generation.usage)
                var deltas = generation.deltas()
                while let delta = try await deltas.next() {
                    var piece = Piece()
                    reader.take(delta, into: &piece)
                    if !piece.isEmpty { try await writer.write(line(piece, nil)) }
                }
                var piece = Piece()
                reader.end(into: &piece)
                if !piece.isEmpty { try await writer.write(line(piece, nil)) }
                try await writer.write(line(Piece(), reader))
            } catch let error as RPCError {
                try await writer.write(ByteBuffer(bytes: APIError(error).json(in: .ollama) + Array("\n".utf8)))
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private func line(_ piece: Piece, _ end: Reader?) -> ByteBuffer {
        ByteBuffer(bytes: JSONWriter(WrittenJSON { write(piece, end, to: &$0) }).bytes + Array("\n".utf8))
    }
}

extension Duration {
    var nanoseconds: Int { Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000) }
}

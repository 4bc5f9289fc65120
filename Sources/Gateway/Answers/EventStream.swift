import Foundation
import Hummingbird
import Messages
import RPC

/// The chunks of one kind of completion.
protocol ChunkForm: Sendable {
    associatedtype Chunk: CountedChunk
    /// What a choice begins with, if anything.
    func opening(_ generation: Generation, choice: Int) -> Chunk?
    mutating func chunk(_ generation: Generation, _ delta: AnswerDelta) -> Chunk
    func usage(_ generation: Generation, _ usage: Usage) -> Chunk
}

/// A chunk that may say what has been used so far.
protocol CountedChunk: JSONWritable {
    var usage: Usage? { get set }
}

/// Server-sent events as OpenAI's clients read them: `data: {…}` lines, an error as an event, `[DONE]` at the end.
enum EventStream {
    /// The response to a streamed request.
    static func response(_ generation: Generation, options: StreamOptions?, form: some ChunkForm) -> Response {
        let includesUsage = options?.include_usage ?? false
        let countsOn = options?.continuous_usage_stats ?? false
        return response { writer in
            for choice in 0..<generation.choices {
                if let opening = form.opening(generation, choice: choice) { try await writer.write(event(opening)) }
            }
            var deltas = generation.deltas()
            var form = form
            var usage = generation.usage
            while let delta = try await deltas.next() {
                usage.count(delta)
                if !delta.isSilent {
                    var chunk = form.chunk(generation, delta)
                    if countsOn { chunk.usage = usage }
                    try await writer.write(event(chunk))
                }
            }
            if includesUsage { try await writer.write(event(form.usage(generation, usage))) }
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
                try await writer.write(event(APIError(error), in: .openAI))
            }
            try await writer.finish(nil)
        }
        return response(body)
    }

    /// A stream that `body` writes whole.
    static func response(_ body: ResponseBody) -> Response {
        // nginx would collect a stream before it passes it on.
        var headers: HTTPFields = [
            .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache",
        ]
        headers[own: FieldName.buffering] = "no"
        return Response(status: .ok, headers: headers, body: body)
    }

    static func event(_ value: some Encodable) throws -> ByteBuffer { line(try JSONResponse.encoded(value)) }

    static func event(_ value: some JSONWritable) -> ByteBuffer { line(JSONWriter(value).bytes) }

    /// An event under a name of its own.
    static func event(_ name: String, _ value: some JSONWritable) -> ByteBuffer {
        var buffer = ByteBuffer(string: "event: \(name)\n")
        buffer.writeImmutableBuffer(event(value))
        return buffer
    }

    static func event(_ error: APIError, in dialect: APIDialect) -> ByteBuffer {
        var buffer = ByteBuffer(string: dialect == .anthropic ? "event: error\n" : "")
        buffer.writeImmutableBuffer(line(error.json(in: dialect)))
        return buffer
    }

    private static func line(_ json: some Collection<UInt8>) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(json.count + 8)
        buffer.writeString("data: ")
        buffer.writeBytes(json)
        buffer.writeString("\n\n")
        return buffer
    }
}

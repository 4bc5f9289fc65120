import Foundation
import Hummingbird
import Messages
import RPC

/// `POST /v1/responses`, OpenAI's newer form of a chat.
struct ResponsesRoute: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let streams: PromptStreams
    let conversations: Conversations

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/responses") { try await pipeline.run(.generation, $0, $1, answer) }
    }

    private func answer(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ResponseRequest.self, from: data, refusing: .responses)
        return try await streams.promptly(isStream: request.conversation.parameters.stream == true, scope) {
            try await answer(request, scope)
        }
    }

    private func answer(_ request: ResponseRequest, _ scope: RequestScope) async throws -> Response {
        let parameters = request.conversation.parameters
        return try await models.answer(
            request.conversation.routing, preset: parameters.preset, tokens: parameters.tokens(default: 256),
            modalities: ["text"], scope
        ) { model, decision, scope in
            let (passed, preset) = try await conversations.filtered(
                request.conversation, .in, decision, from: "input", scope)
            var conversation = passed
            conversation.apply(preset, of: decision, scope.record)
            if preset != nil { try await conversations.filterWhole(&conversation, scope) }
            let generation = try await conversations.generation(
                for: conversation, from: "input", logprobs: nil, with: model, idPrefix: "resp_", scope)
            let answer = ResponseAnswer(generation, to: request)
            return parameters.stream == true ? answer.stream() : try await answer.whole()
        }
    }
}

/// A generation on its way to a client as a response.
private struct ResponseAnswer: Sendable {
    private let generation: Generation
    private let opening: ResponseObject
    private let messageID = "msg_" + ServiceDescription.newInstanceID()

    init(_ generation: Generation, to request: ResponseRequest) {
        self.generation = generation
        let call = generation.parts.first?.call.request
        opening = ResponseObject(
            id: generation.id, created_at: generation.created, model: generation.model,
            instructions: request.instructions, max_output_tokens: request.conversation.parameters.max_tokens,
            temperature: call?.temperature ?? 1, top_p: call?.topP ?? 1, metadata: request.metadata ?? [:],
            user: request.conversation.parameters.user)
    }

    private func ended(_ text: String, _ reason: String?, tokens: Int) -> ResponseObject {
        var response = opening
        response.end(
            text, reason: reason ?? "stop", promptTokens: generation.promptTokens, tokens: tokens, messageID: messageID)
        return response
    }

    func whole() async throws -> Response {
        let (choices, tokens) = try await generation.collect()
        return try JSONResponse.make(ended(choices[0].text, choices[0].finishReason, tokens: tokens))
    }

    func stream() -> Response {
        EventStream.response(
            ResponseBody { writer in
                var events = Events(messageID: messageID)
                do {
                    try await write(&events, to: &writer)
                } catch let error as RPCError {
                    var response = opening
                    (response.status, response.error) = (.failed, .init(message: APIError(error).message))
                    try await writer.write(events.next("response.failed") { $0.response = response })
                }
                try await writer.finish(nil)
            })
    }

    /// OpenAI's order of events: each part is announced, grows, and is sent once more as a whole.
    private func write(_ events: inout Events, to writer: inout any ResponseBodyWriter) async throws {
        try await writer.write(events.next("response.created") { $0.response = opening })
        try await writer.write(events.next("response.in_progress") { $0.response = opening })
        try await writer.write(
            events.next("response.output_item.added") {
                $0.output_index = 0
                $0.item = ResponseMessage(id: messageID, status: .in_progress, text: nil)
            })
        try await writer.write(events.part("response.content_part.added") { $0.part = .init(text: "") })
        var (text, reason, tokens) = ("", "", 0)
        var deltas = generation.deltas()
        while let delta = try await deltas.next() {
            tokens += delta.tokens.count
            if !delta.finishReason.isEmpty { reason = delta.finishReason }
            guard !delta.text.isEmpty else { continue }
            text += delta.text
            try await writer.write(
                events.part("response.output_text.delta") { ($0.delta, $0.logprobs) = (delta.text, []) })
        }
        let response = ended(text, reason, tokens: tokens)
        try await writer.write(events.part("response.output_text.done") { ($0.text, $0.logprobs) = (text, []) })
        try await writer.write(events.part("response.content_part.done") { $0.part = .init(text: text) })
        try await writer.write(
            events.next("response.output_item.done") { ($0.output_index, $0.item) = (0, response.output[0]) })
        try await writer.write(events.next("response.\(response.status.rawValue)") { $0.response = response })
    }

    /// Numbers events as they are made.
    private struct Events {
        let messageID: String
        private var count = 0

        init(messageID: String) { self.messageID = messageID }

        mutating func next(_ type: String, _ fill: (inout ResponseEvent) -> Void) throws -> ByteBuffer {
            var event = ResponseEvent(type, count)
            fill(&event)
            count += 1
            var buffer = ByteBuffer(string: "event: \(type)\n")
            buffer.writeImmutableBuffer(try EventStream.event(event))
            return buffer
        }

        /// An event of the message's one part.
        mutating func part(_ type: String, _ fill: (inout ResponseEvent) -> Void) throws -> ByteBuffer {
            let id = messageID
            return try next(type) {
                ($0.item_id, $0.output_index, $0.content_index) = (id, 0, 0)
                fill(&$0)
            }
        }
    }
}

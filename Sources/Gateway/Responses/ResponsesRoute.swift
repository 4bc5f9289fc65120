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
    private let itemID = ServiceDescription.newInstanceID()

    init(_ generation: Generation, to request: ResponseRequest) {
        self.generation = generation
        let call = generation.parts.first?.call.request
        opening = ResponseObject(
            id: generation.id, created_at: generation.created, model: generation.model,
            instructions: request.instructions, max_output_tokens: request.conversation.parameters.max_tokens,
            temperature: call?.temperature ?? 1, top_p: call?.topP ?? 1, metadata: request.metadata ?? [:],
            user: request.conversation.parameters.user, tools: request.tools,
            toolChoice: request.toolChoice ?? .string("auto"), isParallel: request.conversation.tools.isParallel,
            textFormat: request.textFormat)
    }

    private func ended(_ items: ResponseItems, _ reason: String, _ usage: Usage) -> ResponseObject {
        var response = opening
        response.end(reason: reason)
        (response.output, response.usage) = (items.items, .init(usage))
        return response
    }

    func whole() async throws -> Response {
        var items = ResponseItems(id: itemID)
        var (reason, tokens, reasoning) = ("stop", 0, 0)
        var deltas = generation.deltas()
        do {
            while let delta = try await deltas.next() {
                tokens += delta.tokens.count
                if delta.part == .reasoning { reasoning += delta.tokens.count }
                if !delta.finishReason.isEmpty { reason = delta.finishReason }
                _ = items.take(delta)
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        let usage = Usage(prompt: generation.promptTokens, completion: tokens, reasoning: reasoning)
        var response = ended(items, reason, usage)
        _ = items.end(response.status)
        response.output = items.items
        return try JSONResponse.make(response)
    }

    func stream() -> Response {
        EventStream.response(
            ResponseBody { writer in
                var events = Events()
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
        var items = ResponseItems(id: itemID)
        var (reason, tokens, reasoning) = ("", 0, 0)
        var deltas = generation.deltas()
        while let delta = try await deltas.next() {
            tokens += delta.tokens.count
            if delta.part == .reasoning { reasoning += delta.tokens.count }
            if !delta.finishReason.isEmpty { reason = delta.finishReason }
            for change in items.take(delta) { try await write(change, items, &events, to: &writer) }
        }
        let usage = Usage(prompt: generation.promptTokens, completion: tokens, reasoning: reasoning)
        var response = ended(items, reason, usage)
        for change in items.end(response.status) { try await write(change, items, &events, to: &writer) }
        response.output = items.items
        try await writer.write(events.next("response.\(response.status.rawValue)") { $0.response = response })
    }

    private func write(
        _ change: ResponseItems.Change, _ items: ResponseItems, _ events: inout Events,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        switch change {
        case .added(let index):
            let item = items.items[index]
            try await writer.write(
                events.next("response.output_item.added") {
                    ($0.output_index, $0.item) = (index, item)
                    if item.content != nil { $0.item?.content = [] }
                })
            guard item.type != "function_call" else { return }
            try await writer.write(
                events.part("response.content_part.added", item.id, index) {
                    $0.part = item.type == "message" ? .output("") : .reasoning("")
                })
        case .text(let index, let text):
            let item = items.items[index]
            switch item.type {
            case "message":
                try await writer.write(
                    events.part("response.output_text.delta", item.id, index) { ($0.delta, $0.logprobs) = (text, []) })
            case "reasoning":
                try await writer.write(
                    events.part("response.reasoning_text.delta", item.id, index) { $0.delta = text })
            default:
                try await writer.write(
                    events.next("response.function_call_arguments.delta") {
                        ($0.item_id, $0.output_index, $0.delta) = (item.id, index, text)
                    })
            }
        case .ended(let index):
            let item = items.items[index]
            let part = item.content?.first
            switch item.type {
            case "message":
                try await writer.write(
                    events.part("response.output_text.done", item.id, index) {
                        ($0.text, $0.logprobs) = (part?.text ?? "", [])
                    })
            case "reasoning":
                try await writer.write(
                    events.part("response.reasoning_text.done", item.id, index) { $0.text = part?.text ?? "" })
            default:
                try await writer.write(
                    events.next("response.function_call_arguments.done") {
                        ($0.item_id, $0.output_index) = (item.id, index)
                        ($0.arguments, $0.name) = (item.arguments, item.name)
                    })
            }
            if item.type != "function_call" {
                try await writer.write(events.part("response.content_part.done", item.id, index) { $0.part = part })
            }
            try await writer.write(
                events.next("response.output_item.done") { ($0.output_index, $0.item) = (index, item) })
        }
    }

    /// Numbers events as they are made.
    private struct Events {
        private var count = 0

        mutating func next(_ type: String, _ fill: (inout ResponseEvent) -> Void) throws -> ByteBuffer {
            var event = ResponseEvent(type, count)
            fill(&event)
            count += 1
            var buffer = ByteBuffer(string: "event: \(type)\n")
            buffer.writeImmutableBuffer(try EventStream.event(event))
            return buffer
        }

        /// An event of an item's one part.
        mutating func part(
            _ type: String, _ id: String, _ index: Int, _ fill: (inout ResponseEvent) -> Void
        ) throws -> ByteBuffer {
            try next(type) {
                ($0.item_id, $0.output_index, $0.content_index) = (id, index, 0)
                fill(&$0)
            }
        }
    }
}

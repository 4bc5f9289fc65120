import Hummingbird
import JSON
import Messages
import RPC

/// A generation on its way to becoming a response, and what has come of it so far.
struct ResponseAnswer: Sendable {
    let generation: Generation
    private(set) var opening: ResponseObject
    private(set) var items: ResponseItems
    private var reason = "stop"
    private var usage: Usage

    init(_ generation: Generation, to request: ResponseRequest, isStored: Bool) {
        (self.generation, usage) = (generation, generation.usage)
        let call = generation.parts.first?.call.request
        opening = ResponseObject(request, id: generation.id, created: generation.created, isStored: isStored)
        opening.model = generation.model
        (opening.temperature, opening.top_p) = (call?.temperature ?? 1, call?.topP ?? 1)
        items = ResponseItems(response: generation.id)
    }

    /// Takes what the answer's next step shows.
    mutating func take(_ delta: AnswerDelta) -> [AnswerBlocks.Change] {
        usage.count(delta)
        if !delta.finishReason.isEmpty { reason = delta.finishReason }
        return items.take(delta)
    }

    /// Ends the answer.
    ///
    /// - Returns: the whole response, and what changed at its end.
    mutating func end() -> (response: ResponseObject, changes: [AnswerBlocks.Change]) {
        var response = opening
        response.end(reason: reason)
        response.usage = .init(usage)
        let changes = items.end(response.status)
        response.output = items.items
        return (response, changes)
    }

    /// The response, failed.
    func failed(_ error: APIError) -> ResponseObject {
        var response = opening
        (response.status, response.error) = (.failed, .init(message: error.message))
        return response
    }
}

extension ResponseObject {
    /// A response before anything is known of it but its request.
    init(_ request: ResponseRequest, id: String, created: Int, isStored: Bool) {
        let parameters = request.conversation.parameters
        self.init(
            id: id, created_at: created, model: request.conversation.routing.model,
            instructions: request.instructions, max_output_tokens: parameters.max_tokens,
            temperature: parameters.temperature.map { Float($0) } ?? 1, top_p: parameters.top_p.map { Float($0) } ?? 1,
            metadata: request.metadata ?? [:], user: parameters.user, tools: request.tools,
            toolChoice: request.toolChoice ?? .string("auto"), isParallel: request.conversation.tools.isParallel,
            textFormat: request.textFormat)
        (store, background) = (isStored, request.background)
        (previousResponseID, conversationID) = (request.previousResponseID, request.conversationID)
    }
}

import Foundation
import Hummingbird
import Messages

/// `POST /v1/messages` and `/v1/messages/count_tokens`, Anthropic's form of a chat.
struct AnthropicRoutes: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let streams: PromptStreams
    let conversations: Conversations
    let routing: RoutingSource

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/messages") { try await pipeline.run(.generation, $0, $1, answer) }
        router.post("/v1/messages/count_tokens") { try await pipeline.run(.query, $0, $1, count) }
    }

    private func answer(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(AnthropicRequest.self, from: data, refusing: .messages)
        guard request.conversation.parameters.max_tokens != nil else {
            throw APIError.invalidRequest("'max_tokens' is required.", parameter: "max_tokens")
        }
        return try await streams.promptly(isStream: request.conversation.parameters.stream == true, scope) {
            try await answer(request, scope)
        }
    }

    private func answer(_ request: AnthropicRequest, _ scope: RequestScope) async throws -> Response {
        let parameters = request.conversation.parameters
        return try await models.answer(
            request.conversation.routing, preset: parameters.preset, tokens: parameters.tokens(default: 256),
            modalities: ["text"], scope
        ) { model, decision, scope in
            let generation = try await conversations.begin(
                request.conversation, from: "messages", decision, with: model, idPrefix: "msg_", scope)
            let answer = AnthropicAnswer(generation, of: model, to: request)
            return parameters.stream == true ? answer.stream() : try await answer.whole()
        }
    }

    private func count(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(AnthropicRequest.self, from: data, refusing: .messages)
        let model = try conversations.fleet.textModel(
            request.conversation.parameters.model, aliases: routing.current.aliases)
        let prompt = try await conversations.tokens(of: request.conversation, with: model, until: scope.deadline)
        return JSONResponse.make(TokenCount(input_tokens: prompt.ids.count))
    }

    private struct TokenCount: JSONWritable {
        var input_tokens: Int

        func write(to json: inout JSONWriter) { json.object { $0.field("input_tokens", input_tokens) } }
    }
}

import Foundation
package import Hummingbird
import Messages
import NIOCore
import RPC

/// OpenAI's HTTP API over the fleet: the only process that faces users.
package struct Gateway: Sendable {
    let fleet: Fleet
    /// The largest body that is read, in bytes.
    private let bodyLimit: Int

    package init(fleet: Fleet, bodyLimit: Int = 4 << 20) {
        self.fleet = fleet
        self.bodyLimit = bodyLimit
    }

    package func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: ErrorForm())
        router.get("/healthz") { _, _ in Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "ok\n"))) }
        router.get("/readyz") { _, _ in
            let ready = fleet.isReady
            return Response(
                status: ready ? .ok : .serviceUnavailable,
                body: .init(byteBuffer: ByteBuffer(string: ready ? "ready\n" : "some service has no instance yet\n")))
        }
        router.get("/v1/models") { _, _ in try JSONResponse.make(models()) }
        router.post("/v1/chat/completions") { request, _ in try await chat(body(of: request)) }
        router.post("/v1/completions") { request, _ in try await complete(body(of: request)) }
        router.post("/v1/images/generations") { request, _ in try await draw(body(of: request)) }
        router.post("/tokenize") { request, _ in try await tokenize(body(of: request)) }
        router.post("/detokenize") { request, _ in try await detokenize(body(of: request)) }
        router.get("/admin/status") { _, _ in try JSONResponse.make(status()) }
        return router
    }

    private func body(of request: Request) async throws -> Data {
        do {
            let buffer = try await request.body.collect(upTo: bodyLimit)
            return Data(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw APIError(
                status: .contentTooLarge, message: "The body is larger than \(bodyLimit) bytes.",
                type: "invalid_request_error", code: "request_too_large")
        }
    }

    private func models() -> ModelList {
        ModelList(
            data: fleet.models.values.sorted { $0.name < $1.name }.map {
                .init(
                    id: $0.name, created: 0, modality: $0.modality, revision: $0.revision,
                    context_length: $0.contextLength)
            })
    }

    // MARK: Chat

    private func chat(_ data: Data) async throws -> Response {
        let request = try GenerationParameters.decode(ChatCompletionRequest.self, from: data)
        let model = try fleet.model(request.parameters.model, modality: "text")
        guard !request.messages.isEmpty else {
            throw APIError.invalidRequest("'messages' holds no message.", parameter: "messages")
        }
        guard request.logprobs != true else {
            throw APIError.invalidRequest("'logprobs' is not supported by chat completions yet.", parameter: "logprobs")
        }
        let turns = request.messages.map { ChatTurn(role: $0.role, content: $0.content) }
        let prompt = try await fleet.call(
            TokenizerMethods.renderChat, RenderChatRequest(model: model.name, messages: turns), model: model.name)
        let call = try request.parameters.request(prompt: prompt, context: model.contextLength, defaultMaxTokens: nil)
        let generation = try await fleet.generate(call, model: model, idPrefix: "chatcmpl-")
        if request.parameters.stream == true {
            let usage = request.parameters.stream_options?.include_usage ?? false
            return try await EventStream.response(generation, includesUsage: usage, form: ChatChunks())
        }
        let (texts, tokens) = try await generation.collect()
        return try JSONResponse.make(
            ChatCompletion(
                id: generation.id, object: "chat.completion", created: generation.created, model: generation.model,
                system_fingerprint: generation.fingerprint,
                choices: texts.enumerated().map { index, choice in
                    .init(
                        index: index, message: .init(role: "assistant", content: choice.text),
                        finish_reason: choice.finishReason)
                }, usage: Usage(prompt: generation.promptTokens, completion: tokens)))
    }

    // MARK: Plain completions

    private func complete(_ data: Data) async throws -> Response {
        let request = try GenerationParameters.decode(CompletionRequest.self, from: data)
        let model = try fleet.model(request.parameters.model, modality: "text")
        let prompt = try await fleet.call(
            TokenizerMethods.encode,
            EncodeRequest(model: model.name, text: request.prompt, addSpecialTokens: true), model: model.name)
        let call = try request.parameters.request(prompt: prompt, context: model.contextLength, defaultMaxTokens: 16)
        let generation = try await fleet.generate(call, model: model, idPrefix: "cmpl-")
        if request.parameters.stream == true {
            let usage = request.parameters.stream_options?.include_usage ?? false
            return try await EventStream.response(generation, includesUsage: usage, form: TextChunks())
        }
        let (texts, tokens) = try await generation.collect()
        return try JSONResponse.make(
            TextCompletion(
                id: generation.id, created: generation.created, model: generation.model,
                system_fingerprint: generation.fingerprint,
                choices: texts.enumerated().map { index, choice in
                    .init(index: index, text: choice.text, finish_reason: choice.finishReason)
                }, usage: Usage(prompt: generation.promptTokens, completion: tokens)))
    }
}

/// Gives Hummingbird's own errors (no such route, wrong method) OpenAI's form.
private struct ErrorForm: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return try error.response(from: request, context: context)
        } catch let error as HTTPError {
            let type = error.status.code < 500 ? "invalid_request_error" : "server_error"
            let message = error.body ?? "\(request.method.rawValue) \(request.uri.path): \(error.status.reasonPhrase)"
            return try APIError(status: error.status, message: message, type: type)
                .response(from: request, context: context)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            return try APIError(status: .internalServerError, message: "Internal error.", type: "server_error")
                .response(from: request, context: context)
        }
    }
}

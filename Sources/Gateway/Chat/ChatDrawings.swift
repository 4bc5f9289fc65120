import Foundation
import Hummingbird
import Messages
import RPC

/// Answers chats with pictures.
struct ChatDrawings: Sendable {
    let fleet: Fleet

    /// The answer holds a picture for each choice, as Markdown that chat clients show, and beside it in `images`.
    func answer(
        _ request: ChatCompletionRequest, prompt: String, on model: ModelDescription, _ scope: RequestScope
    ) async throws -> Response {
        let count = request.parameters.n ?? 1
        guard (1...ImageGenerationRequest.pictureLimit).contains(count) else {
            throw APIError.invalidRequest(
                "n is \(count); a chat is answered with 1 to \(ImageGenerationRequest.pictureLimit) pictures.",
                parameter: "n")
        }
        guard request.logprobs != true, request.parameters.logit_bias?.isEmpty ?? true else {
            throw APIError.invalidRequest(
                "The model '\(model.name)' answers with a picture, which has no log-probabilities.",
                parameter: request.logprobs == true ? "logprobs" : "logit_bias")
        }
        if let form = request.parameters.grammar {
            throw APIError.invalidRequest(
                "The model '\(model.name)' answers with a picture, which has no form of text.", parameter: form.field)
        }
        let first = request.parameters.seed.map { UInt64(bitPattern: $0) } ?? .random(in: 0...UInt64(Int64.max))
        let call = Wire.DrawRequest(
            model: model.name, prompt: prompt, seeds: (0..<UInt64(count)).map { first &+ $0 })
        let labeller = scope.pictureLabeller(model: model, prompt: request.lastUserText)
        let drawing = try fleet.draw(call, model: model, labeller: labeller, until: scope.deadline)
        let answer = DrawnAnswer(
            id: "chatcmpl-" + ServiceDescription.newInstanceID(), created: Int(Date().timeIntervalSince1970),
            model: model.name, fingerprint: "fp_" + model.numericsID.prefix(12))
        return request.parameters.stream == true
            ? try await answer.stream(drawing, record: scope.record)
            : try await answer.whole(drawing, record: scope.record)
    }
}

private struct DrawnAnswer: Sendable {
    let id: String
    let created: Int
    let model: String
    let fingerprint: String

    private func text(_ picture: ResumableDrawing.Picture, role: String?) -> ChatCompletion.Text {
        let url = "data:image/png;base64," + Data(picture.file.array).base64EncodedString()
        return .init(
            role: role, content: "![picture, seed \(Int64(bitPattern: picture.drawn.seed))](\(url))",
            images: [.init(url: url)])
    }

    private func completion(_ object: String, _ choices: [ChatCompletion.Choice]) -> ChatCompletion {
        ChatCompletion(
            id: id, object: object, created: created, model: model, system_fingerprint: fingerprint, choices: choices)
    }

    func whole(_ drawing: ResumableDrawing, record: RequestRecord) async throws -> Response {
        let pictures = try await drawing.pictures(record).sorted { $0.drawn.index < $1.drawn.index }
        return try await offEventLoop {
            var answer = completion(
                "chat.completion",
                pictures.map {
                    .init(index: Int($0.drawn.index), message: text($0, role: "assistant"), finish_reason: "stop")
                })
            answer.usage = Usage(prompt: 0, completion: 0)
            return JSONResponse.make(answer)
        }
    }

    /// Steps are comments, which clients pass over and which keep the connection awake.
    func stream(_ drawing: ResumableDrawing, record: RequestRecord) async throws -> Response {
        try await drawing.stream(record) { update in
            guard let picture = update.picture else {
                return [update.comment]
            }
            let index = Int(picture.drawn.index)
            return [
                ChatCompletion.Choice(index: index, delta: text(picture, role: "assistant")),
                .init(index: index, delta: .init(), finish_reason: "stop"),
            ].map { EventStream.event(completion("chat.completion.chunk", [$0])) }
        }
    }
}

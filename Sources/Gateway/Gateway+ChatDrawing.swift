import Foundation
import Hummingbird
import Messages
import RPC

/// Chats that are answered with a picture.
extension Gateway {
    /// The answer holds a picture for each choice, as Markdown that chat clients show, and beside it in `images`.
    func drawInChat(
        _ request: ChatCompletionRequest, prompt: String, on model: ModelDescription, _ scope: RequestScope
    ) async throws -> Response {
        let count = request.parameters.n ?? 1
        guard (1...ImageGenerationRequest.pictureLimit).contains(count) else {
            throw APIError.invalidRequest(
                "n is \(count); a chat is answered with 1 to \(ImageGenerationRequest.pictureLimit) pictures.",
                parameter: "n")
        }
        let first = request.parameters.seed.map { UInt64(bitPattern: $0) } ?? .random(in: 0...UInt64(Int64.max))
        let call = DrawRequest(
            model: model.name, prompt: prompt, seeds: (0..<UInt64(count)).map { first &+ $0 })
        let drawing = try fleet.draw(call, model: model, scope)
        let answer = DrawnAnswer(
            id: "chatcmpl-" + ServiceDescription.newInstanceID(), created: Int(Date().timeIntervalSince1970),
            model: model.name, fingerprint: "fp_" + model.numericsID.prefix(12))
        return request.parameters.stream == true
            ? try await answer.stream(drawing, record: scope.record)
            : try await answer.whole(drawing, count: count, record: scope.record)
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
            role: role, content: "![picture, seed \(picture.drawn.seed)](\(url))",
            images: [.init(image_url: .init(url: url))])
    }

    private func completion(_ object: String, _ choices: [ChatCompletion.Choice]) -> ChatCompletion {
        ChatCompletion(
            id: id, object: object, created: created, model: model, system_fingerprint: fingerprint, choices: choices)
    }

    func whole(_ drawing: ResumableDrawing, count: Int, record: RequestRecord) async throws -> Response {
        var drawing = drawing
        var choices: [ChatCompletion.Choice] = []
        do {
            while let update = try await drawing.next() {
                guard let picture = update.picture else { continue }
                record.picture()
                let message = text(picture, role: "assistant")
                choices.append(.init(index: Int(picture.drawn.index), message: message, finish_reason: "stop"))
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        choices.sort { $0.index < $1.index }
        var answer = completion("chat.completion", choices)
        answer.usage = Usage(prompt: 0, completion: 0)
        return try JSONResponse.make(answer)
    }

    /// The first update is awaited, so that a refusal has its own status. Steps are comments, which clients pass over and
    /// which keep the connection awake.
    func stream(_ drawing: ResumableDrawing, record: RequestRecord) async throws -> Response {
        var begun = drawing
        let first: ResumableDrawing.Update?
        do {
            first = try await begun.next()
        } catch let error as RPCError {
            throw APIError(error)
        }
        return EventStream.response { [begun] writer in
            var (drawing, update) = (begun, first)
            while let current = update {
                if let picture = current.picture {
                    record.picture()
                    let index = Int(picture.drawn.index)
                    let chunk = "chat.completion.chunk"
                    let delta = text(picture, role: "assistant")
                    try await writer.write(EventStream.event(completion(chunk, [.init(index: index, delta: delta)])))
                    try await writer.write(
                        EventStream.event(
                            completion(chunk, [.init(index: index, delta: .init(), finish_reason: "stop")])))
                } else {
                    try await writer.write(ByteBuffer(string: ": step \(current.step) of \(current.steps)\n\n"))
                }
                update = try await drawing.next()
            }
        }
    }
}

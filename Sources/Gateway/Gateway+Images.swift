import Foundation
import Hummingbird
import Messages
import RPC

/// Drawing.
extension Gateway {
    func draw(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ImageGenerationRequest.self, from: data)
        return try await route(request.routing, preset: request.preset, modalities: ["image"], scope) {
            model, decision, scope in
            var request = request
            request.prompt = try await scope.filtered(request.prompt, .image, from: "prompt")
            request.negative_prompt = try await scope.filtered(
                request.negative_prompt ?? "", .image, from: "negative_prompt")
            let preset = try preset(decision, variables: request.preset_variables, input: request.prompt)
            return try await draw(
                request, prompt: preset?.picture(request.prompt) ?? request.prompt, on: model, scope)
        }
    }

    private func draw(
        _ request: ImageGenerationRequest, prompt: String, on model: ModelDescription, _ scope: RequestScope
    ) async throws -> Response {
        var drawing = try fleet.draw(
            request.request(model: model.name, prompt: prompt), model: model, scope)
        let created = Int(Date().timeIntervalSince1970)
        if request.stream == true { return try await stream(drawing, created: created, record: scope.record) }
        var response = ImageGenerationResponse(created: created, data: [], size: "")
        do {
            while let update = try await drawing.next() {
                guard let picture = update.picture else { continue }
                scope.record.picture()
                response.size = "\(picture.drawn.width)x\(picture.drawn.height)"
                response.data.append(
                    .init(b64_json: Data(picture.file.array).base64EncodedString(), seed: picture.drawn.seed))
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return try JSONResponse.make(response)
    }

    /// The first update is awaited, so that a refusal has its own status.
    private func stream(
        _ drawing: ResumableDrawing, created: Int, record: RequestRecord
    ) async throws -> Response {
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
                if current.picture != nil { record.picture() }
                try await writer.write(EventStream.event(Self.event(current, created: created)))
                update = try await drawing.next()
            }
        }
    }

    private static func event(_ update: ResumableDrawing.Update, created: Int) -> ImageGenerationEvent {
        guard let picture = update.picture else {
            return ImageGenerationEvent(
                type: "image_generation.progress", created_at: created, step: update.step, steps: update.steps)
        }
        return ImageGenerationEvent(
            type: "image_generation.completed", created_at: created,
            b64_json: Data(picture.file.array).base64EncodedString(),
            index: picture.drawn.index, seed: picture.drawn.seed, output_format: "png",
            size: "\(picture.drawn.width)x\(picture.drawn.height)")
    }
}

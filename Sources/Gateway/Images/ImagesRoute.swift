import Foundation
import Hummingbird
import Messages
import RPC

/// `POST /v1/images/generations`.
struct ImagesRoute: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let streams: PromptStreams
    let fleet: Fleet

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/images/generations") { try await pipeline.run(.generation, $0, $1, answer) }
    }

    private func answer(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ImageGenerationRequest.self, from: data, refusing: .images)
        return try await streams.promptly(isStream: request.stream == true, scope) { try await answer(request, scope) }
    }

    private func answer(_ request: ImageGenerationRequest, _ scope: RequestScope) async throws -> Response {
        let name = try request.model ?? soleImageModel()
        return try await models.answer(
            request.routing(default: name), preset: request.preset, modalities: ["image"], scope
        ) { model, decision, scope in
            var request = request
            request.prompt = try await scope.filtered(request.prompt, .image, from: "prompt")
            request.negative_prompt = try await scope.filtered(
                request.negative_prompt ?? "", .image, from: "negative_prompt")
            let preset = try await scope.preset(
                decision, variables: request.preset_variables, input: request.prompt, .image)
            var prompt = request.prompt
            if let preset {
                prompt = try await scope.filtered(preset.picture(prompt), .image, from: "preset_variables")
            }
            return try await draw(request, prompt: prompt, on: model, scope)
        }
    }

    /// - Throws: `APIError` where it is not clear which model a request without a name means.
    private func soleImageModel() throws -> String {
        let models = fleet.models.values.filter { $0.modality == "image" }.map(\.name).sorted()
        guard models.count == 1 else {
            guard fleet.isReady else { throw APIError.notReady }
            throw APIError.invalidRequest("'model' is required; image models: \(models).", parameter: "model")
        }
        return models[0]
    }

    private func draw(
        _ request: ImageGenerationRequest, prompt: String, on model: ModelDescription, _ scope: RequestScope
    ) async throws -> Response {
        let labeller = scope.pictureLabeller(
            model: model, prompt: request.prompt, negativePrompt: request.negative_prompt ?? "")
        let drawing = try fleet.draw(
            request.request(model: model.name, prompt: prompt), model: model, labeller: labeller,
            until: scope.deadline)
        let created = Int(Date().timeIntervalSince1970)
        if request.stream == true {
            let tellsSteps = request.progress_events ?? false
            return try await drawing.stream(scope.record) { update in
                // OpenAI's clients take any event that they do not know for a picture.
                if update.preview == nil, update.picture == nil, !tellsSteps { return [update.comment] }
                return [try EventStream.event(Self.event(update, created: created))]
            }
        }
        let pictures = try await drawing.pictures(scope.record)
        return try await offEventLoop {
            try JSONResponse.make(
                ImageGenerationResponse(
                    created: created,
                    data: pictures.map {
                        .init(
                            b64_json: Data($0.file.array).base64EncodedString(),
                            seed: Int64(bitPattern: $0.drawn.seed))
                    }, size: pictures.last.map { "\($0.drawn.width)x\($0.drawn.height)" } ?? ""))
        }
    }

    private static func event(_ update: ResumableDrawing.Update, created: Int) -> ImageGenerationEvent {
        if let preview = update.preview {
            var event = pictureEvent("partial_image", preview.file, preview.drawn.width, preview.drawn.height, created)
            (event.index, event.partial_image_index) = (preview.drawn.picture, preview.drawn.index)
            return event
        }
        if let picture = update.picture {
            var event = pictureEvent("completed", picture.file, picture.drawn.width, picture.drawn.height, created)
            (event.index, event.seed) = (picture.drawn.index, Int64(bitPattern: picture.drawn.seed))
            return event
        }
        return ImageGenerationEvent(
            type: "image_generation.progress", created_at: created, step: update.step, steps: update.steps)
    }

    private static func pictureEvent(
        _ type: String, _ file: Attachment, _ width: UInt32, _ height: UInt32, _ created: Int
    ) -> ImageGenerationEvent {
        ImageGenerationEvent(
            type: "image_generation." + type, created_at: created, b64_json: Data(file.array).base64EncodedString(),
            output_format: "png", size: "\(width)x\(height)", quality: "auto", background: "auto")
    }
}

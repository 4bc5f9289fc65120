import Foundation
import Hummingbird
import Messages
import RPC

/// Drawing.
extension Gateway {
    func draw(_ data: Data, until deadline: ContinuousClock.Instant) async throws -> Response {
        let request = try JSONRequest.decode(ImageGenerationRequest.self, from: data)
        _ = try fleet.model(request.model, modality: "image")
        let updates = try await fleet.draw(request.request(), until: deadline)
        let created = Int(Date().timeIntervalSince1970)
        if request.stream == true { return try await stream(updates, created: created) }
        var response = ImageGenerationResponse(created: created, data: [], size: "")
        do {
            while let update = try await updates.next() {
                guard let picture = update.message.picture, let file = update.attachments.first else { continue }
                response.size = "\(picture.width)x\(picture.height)"
                response.data.append(
                    .init(b64_json: Data(file.array).base64EncodedString(), seed: picture.seed))
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return try JSONResponse.make(response)
    }

    /// The first update is awaited, so that a refusal has its own status.
    private func stream(_ updates: ReplyStream<DrawUpdate>, created: Int) async throws -> Response {
        let first: ClientReply<DrawUpdate>?
        do {
            first = try await updates.next()
        } catch let error as RPCError {
            throw APIError(error)
        }
        return EventStream.response { writer in
            var update = first
            while let current = update {
                try await writer.write(EventStream.event(Self.event(current, created: created)))
                update = try await updates.next()
            }
        }
    }

    private static func event(_ update: ClientReply<DrawUpdate>, created: Int) -> ImageGenerationEvent {
        guard let picture = update.message.picture, let file = update.attachments.first else {
            return ImageGenerationEvent(
                type: "image_generation.progress", created_at: created, step: update.message.step,
                steps: update.message.steps)
        }
        return ImageGenerationEvent(
            type: "image_generation.completed", created_at: created, b64_json: Data(file.array).base64EncodedString(),
            index: picture.index, seed: picture.seed, output_format: "png",
            size: "\(picture.width)x\(picture.height)")
    }
}

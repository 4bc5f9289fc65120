import Messages

/// `POST /v1/images/generations`: OpenAI's fields, and `seed`, `steps`, `guidance_scale`, `eta`, `negative_prompt`.
struct ImageGenerationRequest: Decodable, Sendable {
    /// Pictures of one request, at most.
    static let pictureLimit = 10
    /// Previews of a picture, at most.
    static let previewLimit = 3

    /// nil for the one image model that is served.
    var model: String?
    var prompt: String
    var n: Int?
    /// `WIDTHxHEIGHT` or `auto`.
    var size: String?
    var response_format: String?
    var output_format: String?
    /// Of the first picture; the next ones count up from it.
    var seed: Int64?
    var steps: Int?
    var guidance_scale: Float?
    var eta: Float?
    var negative_prompt: String?
    var stream: Bool?
    /// Previews of each picture on the way.
    var partial_images: Int?
    /// Whether a stream has an event for each step.
    var progress_events: Bool?
    var user: String?
    var preset: String?
    var preset_variables: [String: String]?

    /// The call to the diffusion service, its seeds fixed: a call that is made again draws the same.
    ///
    /// - Parameters:
    ///   - model: the one that draws.
    ///   - prompt: what is drawn.
    /// - Throws: `APIError` for a value that no call can carry.
    func request(model: String, prompt: String) throws -> Wire.DrawRequest {
        let n = n ?? 1
        guard (1...Self.pictureLimit).contains(n) else {
            throw APIError.invalidRequest("n is \(n); it must lie in 1…\(Self.pictureLimit).", parameter: "n")
        }
        guard response_format ?? "b64_json" == "b64_json" else {
            throw APIError.invalidRequest(
                "response_format takes 'b64_json' only: pictures are not kept for a URL.",
                parameter: "response_format")
        }
        guard output_format ?? "png" == "png" else {
            throw APIError.invalidRequest("output_format takes 'png' only.", parameter: "output_format")
        }
        let first = seed.map { UInt64(bitPattern: $0) } ?? .random(in: 0...UInt64(Int64.max))
        var request = Wire.DrawRequest(model: model, prompt: prompt, seeds: (0..<UInt64(n)).map { first &+ $0 })
        request.steps = try steps.map { steps in
            guard steps >= 1, let count = UInt32(exactly: steps) else {
                throw APIError.invalidRequest("steps is \(steps); it must be at least 1.", parameter: "steps")
            }
            return count
        }
        request.partialImages = try previews()
        request.guidanceScale = guidance_scale
        request.eta = eta
        request.negativePrompt = negative_prompt ?? ""
        if let size, size != "auto" {
            let sides = size.split(separator: "x", omittingEmptySubsequences: false).map { UInt32($0) }
            guard sides.count == 2, let width = sides[0], let height = sides[1] else {
                throw APIError.invalidRequest(
                    "size is '\(size.prefix(40))'; give WIDTHxHEIGHT, for example '32x32', or 'auto'.",
                    parameter: "size")
            }
            (request.width, request.height) = (width, height)
        }
        return request
    }
}

extension ImageGenerationRequest {
    private func previews() throws -> UInt32 {
        let count = partial_images ?? 0
        guard (0...Self.previewLimit).contains(count) else {
            throw APIError.invalidRequest(
                "partial_images is \(count); it must lie in 0…\(Self.previewLimit).", parameter: "partial_images")
        }
        guard count == 0 || stream == true else {
            throw APIError.invalidRequest("partial_images needs 'stream': true.", parameter: "partial_images")
        }
        return UInt32(count)
    }
}

/// What a drawing gave.
struct ImageGenerationResponse: Encodable {
    struct Picture: Encodable {
        var b64_json: String
        /// As a request gives it: the same number draws the same picture.
        var seed: Int64
    }

    var created: Int
    var data: [Picture]
    var output_format = "png"
    var size: String
}

/// An event of a streamed drawing: `image_generation.progress` a step, `image_generation.partial_image` a preview,
/// `image_generation.completed` a picture.
struct ImageGenerationEvent: Encodable {
    var type: String
    var created_at: Int
    var step: UInt32?
    var steps: UInt32?
    var b64_json: String?
    /// Which of a request's pictures it is.
    var index: UInt32?
    var partial_image_index: UInt32?
    var seed: Int64?
    var output_format: String?
    var size: String?
    var quality: String?
    var background: String?
}

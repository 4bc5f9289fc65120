internal import CMessages

/// The diffusion service.
package enum DiffusionMethods {
    package static let service = ServiceSchema(nephele__v1__diffusion__descriptor)
    package static let draw = Method<DrawRequest, DrawUpdate>(service, "Draw", .serverStreaming)
}

/// What is to be drawn. Ranges are checked by the diffusion service, which alone knows its model.
package struct DrawRequest: BusMessage {
    package var model: String
    package var prompt: String
    package var negativePrompt = ""
    /// One a picture.
    package var seeds: [UInt64]
    /// nil: the model's own.
    package var steps: UInt32?
    package var guidanceScale: Float?
    package var eta: Float?
    /// In pixels.
    package var width: UInt32?
    package var height: UInt32?
    /// Whether the attachment is a checkpoint of this drawing, which goes on from there.
    package var resumes = false
    /// Instances lost under this call since its last step.
    package var crashesWithoutProgress: UInt32 = 0
    /// Previews of each picture on the way.
    package var partialImages: UInt32 = 0

    package init(model: String, prompt: String, seeds: [UInt64]) {
        (self.model, self.prompt, self.seeds) = (model, prompt, seeds)
    }

    package static let codec = MessageCodec(Self.self)
}

extension DrawRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__DrawRequest>) { nephele__v1__draw_request__init(c) }

    init(reading c: Nephele__V1__DrawRequest) throws {
        model = try c.model.text("model")
        prompt = try c.prompt.text("prompt")
        negativePrompt = try c.negative_prompt.text("negative_prompt")
        seeds = readAll(c.seeds, c.n_seeds)
        steps = c.has_steps != 0 ? c.steps : nil
        guidanceScale = c.has_guidance_scale != 0 ? c.guidance_scale : nil
        eta = c.has_eta != 0 ? c.eta : nil
        width = c.has_width != 0 ? c.width : nil
        height = c.has_height != 0 ? c.height : nil
        resumes = c.resumes != 0
        crashesWithoutProgress = c.crashes_without_progress
        partialImages = c.partial_images
    }

    func write(to c: inout Nephele__V1__DrawRequest, in arena: inout Arena) {
        c.has_model = 1
        c.model = arena.text(model)
        c.has_prompt = 1
        c.prompt = arena.text(prompt)
        c.has_negative_prompt = 1
        c.negative_prompt = arena.text(negativePrompt)
        c.n_seeds = seeds.count
        c.seeds = arena.numbers(seeds)
        if let steps { (c.has_steps, c.steps) = (1, steps) }
        if let guidanceScale { (c.has_guidance_scale, c.guidance_scale) = (1, guidanceScale) }
        if let eta { (c.has_eta, c.eta) = (1, eta) }
        if let width { (c.has_width, c.width) = (1, width) }
        if let height { (c.has_height, c.height) = (1, height) }
        if resumes { (c.has_resumes, c.resumes) = (1, 1) }
        if crashesWithoutProgress > 0 {
            (c.has_crashes_without_progress, c.crashes_without_progress) = (1, crashesWithoutProgress)
        }
        if partialImages > 0 { (c.has_partial_images, c.partial_images) = (1, partialImages) }
    }
}

/// How far a drawing is; or one of its finished pictures or previews, whose PNG file is the attachment; or a checkpoint.
package struct DrawUpdate: BusMessage {
    package var step: UInt32
    package var steps: UInt32
    package var picture: DrawnPicture?
    /// Whether the attachment is a checkpoint after this step: opaque, for another instance with the same numerics id.
    package var isCheckpoint = false
    /// A call with losses is about to be computed: another one from now on may be its fault.
    package var isStart = false
    /// A picture as it is foreseen after this step.
    package var preview: DrawPreview?

    package init(step: UInt32, steps: UInt32, picture: DrawnPicture? = nil) {
        (self.step, self.steps, self.picture) = (step, steps, picture)
    }

    package static let codec = MessageCodec(Self.self)
}

extension DrawUpdate: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__DrawUpdate>) { nephele__v1__draw_update__init(c) }

    init(reading c: Nephele__V1__DrawUpdate) throws {
        (step, steps) = (c.step, c.steps)
        picture = try c.picture.map { try DrawnPicture(reading: $0.pointee) }
        (isCheckpoint, isStart) = (c.checkpoint != 0, c.started != 0)
        preview = try c.preview.map { try DrawPreview(reading: $0.pointee) }
    }

    func write(to c: inout Nephele__V1__DrawUpdate, in arena: inout Arena) {
        (c.has_step, c.step) = (1, step)
        (c.has_steps, c.steps) = (1, steps)
        if let picture { c.picture = arena.message(picture) }
        if isCheckpoint { (c.has_checkpoint, c.checkpoint) = (1, 1) }
        if isStart { (c.has_started, c.started) = (1, 1) }
        if let preview { c.preview = arena.message(preview) }
    }
}

package struct DrawnPicture: Sendable, Equatable {
    /// Which of the request's seeds it is.
    package var index: UInt32
    package var seed: UInt64
    /// In pixels.
    package var width: UInt32
    package var height: UInt32
    /// What it was drawn with; 0 and empty from an instance that does not say.
    package var steps: UInt32 = 0
    package var guidanceScale: Float = 0
    /// `DDPM` or `DDIM`.
    package var sampler = ""

    package init(index: UInt32, seed: UInt64, width: UInt32, height: UInt32) {
        (self.index, self.seed, self.width, self.height) = (index, seed, width, height)
    }
}

extension DrawnPicture: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__DrawnPicture>) { nephele__v1__drawn_picture__init(c) }

    init(reading c: Nephele__V1__DrawnPicture) throws {
        (index, seed, width, height) = (c.index, c.seed, c.width, c.height)
        (steps, guidanceScale) = (c.steps, c.guidance_scale)
        sampler = try c.sampler.text("sampler")
    }

    func write(to c: inout Nephele__V1__DrawnPicture, in arena: inout Arena) {
        (c.has_index, c.index) = (1, index)
        (c.has_seed, c.seed) = (1, seed)
        (c.has_width, c.width) = (1, width)
        (c.has_height, c.height) = (1, height)
        (c.has_steps, c.steps) = (1, steps)
        (c.has_guidance_scale, c.guidance_scale) = (1, guidanceScale)
        c.has_sampler = 1
        c.sampler = arena.text(sampler)
    }
}

package struct DrawPreview: Sendable, Equatable {
    /// Which of the request's seeds it is of.
    package var picture: UInt32
    /// Which of its previews it is, from 0.
    package var index: UInt32
    /// In pixels.
    package var width: UInt32
    package var height: UInt32

    package init(picture: UInt32, index: UInt32, width: UInt32, height: UInt32) {
        (self.picture, self.index, self.width, self.height) = (picture, index, width, height)
    }
}

extension DrawPreview: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__DrawPreview>) { nephele__v1__draw_preview__init(c) }

    init(reading c: Nephele__V1__DrawPreview) throws {
        (picture, index, width, height) = (c.picture, c.index, c.width, c.height)
    }

    func write(to c: inout Nephele__V1__DrawPreview, in arena: inout Arena) {
        (c.has_picture, c.picture) = (1, picture)
        (c.has_index, c.index) = (1, index)
        (c.has_width, c.width) = (1, width)
        (c.has_height, c.height) = (1, height)
    }
}

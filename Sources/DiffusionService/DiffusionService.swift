package import DiffusionModels
package import Messages
package import RPC

/// Serves `nephele.v1.Diffusion` for one model.
package struct DiffusionService: RPCService {
    private let name: String
    private let pipeline: DiffusionPipeline
    private let engine: DiffusionEngine

    /// - Parameter name: the model's name, as requests give it.
    package init(name: String, pipeline: DiffusionPipeline, engine: DiffusionEngine) {
        (self.name, self.pipeline, self.engine) = (name, pipeline, engine)
    }

    /// What the instance says of itself.
    ///
    /// - Parameter capacity: drawings that run together.
    package func description(numericsID: String, capacity: Int) -> ServiceDescription {
        var model = ModelDescription(name: name)
        model.numericsID = numericsID
        model.revision = String(numericsID.prefix(12))
        model.modality = "image"
        var description = ServiceDescription(service: "diffusion")
        description.models = [model]
        description.capacity = capacity
        return description
    }

    package func register(with router: inout RPCRouter) {
        router.serverStreaming(DiffusionMethods.draw) { request, writer, context in
            let drawing = DiffusionEngine.Assignment(
                job: try job(request.message, request.attachments), seeds: request.message.seeds,
                isSuspect: request.message.crashesWithoutProgress > 0)
            try await engine.draw(drawing, to: writer, context)
        }
    }

    private func job(_ message: DrawRequest, _ attachments: [Attachment]) throws -> DiffusionJob {
        guard message.model == name else {
            throw RPCError(.notFound, "this instance serves \"\(name)\"", reason: "model_not_found", field: "model")
        }
        var request = DiffusionRequest(prompt: message.prompt, seeds: message.seeds)
        request.negativePrompt = message.negativePrompt
        request.steps = message.steps.map { Int($0) }
        request.guidanceScale = message.guidanceScale
        request.eta = message.eta
        request.width = message.width.map { Int($0) }
        request.height = message.height.map { Int($0) }
        do throws(DiffusionError) {
            var job = try pipeline.makeJob(request)
            if message.resumes {
                guard let checkpoint = attachments.first else {
                    throw DiffusionError(.invalidRequest, "a drawing that resumes needs its checkpoint as attachment")
                }
                try job.resume(DiffusionCheckpoint(bytes: checkpoint.array))
            }
            return job
        } catch {
            throw RPCError(diffusion: error)
        }
    }
}

extension RPCError {
    /// A diffusion model's error as it crosses the wire.
    init(diffusion error: DiffusionError) {
        switch error.code {
        case .invalidRequest: self.init(.invalidArgument, error.message, reason: "invalid_request")
        case .unsupported: self.init(.unimplemented, error.message)
        case .cancelled: self.init(.cancelled, error.message)
        case .outOfMemory: self.init(.resourceExhausted, error.message, retryAfter: .seconds(1))
        case .invalidCheckpoint: self.init(.internalError, error.message)
        }
    }
}

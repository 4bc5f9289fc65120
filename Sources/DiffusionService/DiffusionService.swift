package import DiffusionModels
package import Messages
package import ModelServing
package import RPC

/// One revision of a diffusion model.
package struct DiffusionRevision: ModelRevision {
    package let name: String
    package let numericsID: String
    let resident: ResidentPipeline

    /// - Parameter name: the model's name, as requests give it.
    package init(name: String, numericsID: String, resident: ResidentPipeline) {
        (self.name, self.numericsID, self.resident) = (name, numericsID, resident)
    }

    /// One whose pipeline stays.
    package init(name: String, numericsID: String, pipeline: DiffusionPipeline) {
        self.init(name: name, numericsID: numericsID, resident: ResidentPipeline(pipeline))
    }

    package var models: [ModelDescription] {
        var model = ModelDescription(name: name)
        model.numericsID = numericsID
        model.revision = String(numericsID.prefix(12))
        model.modality = "image"
        return [model]
    }
}

/// Serves `nephele.v1.Diffusion` for one model, in one revision after the other. Drawings of all of them take turns.
package struct DiffusionService: RPCService {
    private let name: String
    private let keeper: RevisionKeeper<DiffusionRevision>
    private let engine: DiffusionEngine

    /// - Parameters:
    ///   - linger: for which a replaced revision takes calls of clients that have not heard of it.
    ///   - load: brings the next revision; nil where the model is not reloaded.
    package init(
        _ revision: DiffusionRevision, engine: DiffusionEngine, linger: Duration = .seconds(5),
        load: RevisionKeeper<DiffusionRevision>.Loader? = nil
    ) {
        (name, self.engine) = (revision.name, engine)
        keeper = RevisionKeeper(revision.name, revision, linger: linger, load: load)
    }

    /// What the instance says of itself.
    ///
    /// - Parameter capacity: drawings that run together.
    package func description(capacity: Int) -> ServiceDescription {
        var description = ServiceDescription(service: "diffusion")
        description.models = keeper.models
        description.capacity = capacity
        return description
    }

    /// Lets the server say which revisions there are, as they come and go.
    package func keepDescribed(by server: RPCServer) {
        keeper.onChange { [weak server, weak keeper] in
            guard let keeper else { return }
            server?.update { $0.models = keeper.models }
        }
    }

    package func register(with router: inout RPCRouter) {
        router.serverStreaming(Wire.Diffusion.draw) { request, writer, context in
            try await use(context) { revision, pipeline in
                let job = try revision.job(request.message, request.attachments, pipeline)
                let previews = Int(request.message.partialImages)
                guard (0...PreviewSchedule.limit).contains(previews) else {
                    throw RPCError(
                        .invalidArgument,
                        "partial_images is \(previews); it must lie in 0…\(PreviewSchedule.limit)",
                        reason: "invalid_request", field: "partial_images")
                }
                let drawing = DiffusionEngine.Assignment(
                    job: job, seeds: request.message.seeds, isQuarantined: request.message.crashesWithoutProgress > 0,
                    previews: PreviewSchedule(previews, of: job.steps))
                try await engine.draw(drawing, to: writer, context)
            }
        }
        router.unary(Wire.Revisions.reload) { request, _ in
            guard request.message.model == name else {
                throw RPCError(
                    .notFound, "this instance serves \"\(name)\"", reason: "model_not_found", field: "model")
            }
            return ServerReply(try await keeper.reload())
        }
    }

    /// Runs a call on its revision. One whose files have changed while it was unloaded makes place for what is there now.
    private func use(
        _ context: ServerContext, _ body: (DiffusionRevision, DiffusionPipeline) async throws -> Void
    ) async throws {
        do {
            try await keeper.use(context) { revision in try await revision.resident.use { try await body(revision, $0) }
            }
        } catch let error as RPCError where error.reason == RPCError.staleReason {
            // It fails where another call has begun it already.
            Task { [keeper] in _ = try? await keeper.reload() }
            throw error
        }
    }
}

extension DiffusionRevision {
    fileprivate func job(
        _ message: Wire.DrawRequest, _ attachments: [Attachment], _ pipeline: DiffusionPipeline
    ) throws -> DiffusionJob {
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
        case .invalidRequest:
            self.init(.invalidArgument, error.message, reason: "invalid_request", field: error.field ?? "")
        case .unsupported: self.init(.unimplemented, error.message)
        case .cancelled: self.init(.cancelled, error.message)
        case .outOfMemory: self.init(.resourceExhausted, error.message, retryAfter: .seconds(1))
        case .invalidCheckpoint: self.init(.internalError, error.message)
        }
    }
}

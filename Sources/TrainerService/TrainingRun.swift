import Foundation
import Layers
import Messages
import RPC
import Synchronization
import Tensors
import Training

/// One job on a trainer, on a thread of its own.
struct TrainingRun {
    private let request: Wire.TrainRequest
    private let folder: TrainerFolder
    private let options: FineTuning.Options

    init(
        _ request: Wire.TrainRequest, model directory: String, _ folder: TrainerFolder, precision: Precision,
        checkpointEvery: Int
    ) throws(RPCError) {
        (self.request, self.folder) = (request, folder)
        guard let method = SampleFile.Method(rawValue: request.method) else {
            throw Self.refusal("the method is '\(request.method.prefix(40))'; it is sft, dpo or kto", field: "method")
        }
        let output = try folder.directory(of: request.job)
        func samples(isHeldOut: Bool, size: Int) throws(RPCError) -> String {
            try folder.checkSamples(isHeldOut: isHeldOut, of: request.job, size: size)
            return output + "/" + TrainerFolder.samples(isHeldOut: isHeldOut)
        }
        var options = FineTuning.Options(
            model: directory, data: try samples(isHeldOut: false, size: request.samplesSize), output: output)
        if request.heldOutSize > 0 { options.heldOut = try samples(isHeldOut: true, size: request.heldOutSize) }
        if !request.startingAdapter.isEmpty {
            options.startingAdapter = try folder.directory(ofAdapter: request.startingAdapter)
        }
        guard (1...1_000).contains(request.epochs), (1...65_536).contains(request.batch) else {
            throw Self.refusal("epochs are 1…1000, samples of a step 1…65536", field: "epochs")
        }
        guard request.learningRate > 0, request.learningRate.isFinite, request.beta > 0, request.beta.isFinite,
            request.desirableWeight >= 0, request.desirableWeight.isFinite, request.undesirableWeight >= 0,
            request.undesirableWeight.isFinite
        else { throw Self.refusal("the learning rate, beta or a weight is no number that it may be", field: "beta") }
        guard (1...1_024).contains(request.rank) else { throw Self.refusal("ranks are 1…1024", field: "rank") }
        options.objective.method = method
        options.objective.beta = request.beta
        (options.objective.desirableWeight, options.objective.undesirableWeight) = (
            request.desirableWeight, request.undesirableWeight
        )
        (options.adapter.rank, options.adapter.alpha) = (request.rank, 2 * Double(request.rank))
        options.optimizer.learningRate = request.learningRate
        (options.epochs, options.batch, options.seed) = (Double(request.epochs), request.batch, request.seed)
        (options.longSamples, options.precision) = (.cut, precision)
        (options.checkpointEvery, options.keepsEpochs, options.resumes) = (checkpointEvery, true, true)
        self.options = options
    }

    private static func refusal(_ message: String, field: String) -> RPCError {
        RPCError(.invalidArgument, message, reason: "invalid_request", field: field)
    }

    /// Trains, and tells of every step: of those too that were made before.
    ///
    /// - Parameters:
    ///   - isStopped: whether nobody waits for it any more.
    ///   - tell: throws where nobody waits.
    /// - Throws: `RPCError`: ABORTED where another trainer has the job, CANCELLED where it was stopped,
    ///   FAILED_PRECONDITION that says what is wrong with the data or the model.
    func run(
        threads: Int, until isStopped: () -> Bool, _ tell: (Wire.TrainUpdate) throws -> Void
    ) throws -> Wire.TrainedAdapter {
        do {
            var training = try FineTuning(options, on: Device(threadCount: threads))
            let plan = training.plan
            try tell(
                Wire.TrainUpdate(
                    plan: Wire.TrainPlan(
                        samples: plan.samples, tokens: plan.tokens, steps: plan.steps, firstStep: plan.firstStep)))
            var file = try StepFile(in: options.output, upTo: plan.firstStep)
            let place = try folder.place(of: request.job)
            func update(_ step: FineTuning.Step) -> Wire.TrainUpdate {
                Wire.TrainUpdate(
                    step: Wire.TrainStep(
                        step: step.step, steps: plan.steps, loss: step.loss, heldOutLoss: step.heldOutLoss,
                        tokens: step.tokens, left: .milliseconds(Int64(max(0, step.secondsLeft) * 1_000)),
                        adapter: step.kept.map { place + "/" + $0 } ?? ""))
            }
            for step in file.steps { try tell(update(step)) }
            let isDone = try training.run(until: isStopped) { step in
                try file.append(step)
                // Where nobody waits any more the run is left behind this step, with a checkpoint.
                try? tell(update(step))
            }
            guard isDone else { throw RPCError(.cancelled, "the job was stopped") }
            return Wire.TrainedAdapter(path: place, tokens: file.steps.reduce(0) { $0 + $1.tokens })
        } catch let error as TrainingError {
            throw converted(error)
        } catch let error as RPCError {
            throw error
        } catch {
            throw RPCError(.failedPrecondition, withoutPaths("\(error)"), reason: "training_failed", field: "model")
        }
    }

    private func converted(_ error: TrainingError) -> RPCError {
        let message = withoutPaths(error.message)
        return switch error.code {
        case .inUse: RPCError(.aborted, message, reason: "job_in_use")
        case .unwritable: RPCError(.unavailable, message, reason: "unwritable")
        case .invalidData:
            RPCError(
                .failedPrecondition, message, reason: "invalid_training_file",
                field: error.message.contains(TrainerFolder.samples(isHeldOut: true))
                    ? "validation_file" : "training_file")
        case .diverged: RPCError(.failedPrecondition, message, reason: "diverged")
        case .unsupported: RPCError(.failedPrecondition, message, reason: "unsupported_model", field: "model")
        case .invalidOption: RPCError(.failedPrecondition, message, reason: "invalid_request")
        case .internalError: RPCError(.internalError, message)
        }
    }

    /// Users have files, not paths.
    private func withoutPaths(_ message: String) -> String {
        var message = message
        for (path, name) in [
            (options.data, "the training file"), (options.heldOut ?? "", "the validation file"),
            (options.output, "the job's directory"), (options.model, "the model's directory"),
        ] where !path.isEmpty {
            message = message.replacingOccurrences(of: path, with: name)
        }
        return message
    }
}

import Autograd
import Foundation
import Tensors

/// Makes the steps of a run: gradients, their norm, AdamW, and a checkpoint whenever one is due.
///
/// What is trained, and on what, its caller says; a step that has no finite loss and norm ends the run, and nothing of it is
/// kept.
final class RunLoop {
    /// A step's gradients, which have been added to the parameters'.
    struct Batch {
        var loss: Double
        /// All tokens that were read.
        var tokens: Int
        /// What the step was made of, for errors: «lines 1, 2 of data.jsonl».
        var source: () -> String
    }

    /// A step that was made.
    struct Made {
        /// From 1.
        var step: Int
        var loss: Double
        var gradientNorm: Double
        var learningRate: Double
        var tokens: Int
        var tokensPerSecond: Double
        var secondsLeft: Double
        /// Whether a checkpoint is written behind it.
        var isDue: Bool
    }

    let parameters: [Parameter]
    /// The run's last step.
    let steps: Int
    let averages: WeightAverages?
    private let schedule: LearningRateSchedule
    private let checkpointEvery: Int
    private let identity: RunIdentity
    private let directory: RunDirectory
    /// Whether this process writes what the run leaves; others of it only compute.
    private let writes: Bool
    private let device: Device
    private(set) var optimizer: AdamW

    /// - Parameters:
    ///   - resumes: whether the run goes on from the directory's checkpoint, where it has one.
    ///   - averageDecay: of averages of the weights; nil for none.
    /// - Throws: `TrainingError` that says how the run differs from the checkpoint's.
    init(
        _ parameters: [Parameter], _ configuration: AdamW.Configuration, _ schedule: LearningRateSchedule,
        averageDecay: Double? = nil, checkpointEvery: Int, resumes: Bool, _ identity: RunIdentity,
        in directory: RunDirectory, writes: Bool = true, on device: Device
    ) throws {
        (self.parameters, self.schedule, steps) = (parameters, schedule, schedule.total)
        (self.checkpointEvery, self.identity, self.directory) = (checkpointEvery, identity, directory)
        (self.writes, self.device) = (writes, device)
        averages = try averageDecay.map { try WeightAverages(parameters, decay: $0) }
        optimizer =
            resumes && RunCheckpoint.exists(in: directory)
            ? try RunCheckpoint.restore(parameters, configuration, averages: averages, identity, from: directory)
            : try AdamW(configuration, parameters)
    }

    /// Makes the steps that are left.
    ///
    /// - Parameters:
    ///   - isStopped: is asked after each; the run is left then, with a checkpoint to go on from.
    ///   - gradients: adds those of a step, counted from 0.
    ///   - report: is told of a step, before it is kept: what whoever goes on behind a checkpoint was not told of is made
    ///     again. It says whether a checkpoint is wanted in any case.
    ///   - save: writes what is served of the weights, behind the checkpoint.
    /// - Returns: whether all steps are made.
    /// - Throws: `TrainingError.diverged` where a loss or gradient is not a number: nothing is written then.
    func run(
        until isStopped: () -> Bool, gradients: (Int) throws -> Batch, report: (Made) throws -> Bool,
        save: () throws -> Void
    ) throws -> Bool {
        let clock = ContinuousClock(), first = optimizer.steps, start = clock.now
        func keep() throws {
            guard writes else { return }
            try RunCheckpoint.write(parameters, optimizer, averages: averages, identity, to: directory)
            try save()
        }
        while optimizer.steps < steps {
            let index = optimizer.steps, begun = clock.now
            let batch = try gradients(index), norm = AdamW.gradientNorm(parameters, on: device)
            guard batch.loss.isFinite, norm.isFinite else {
                throw TrainingError(
                    .diverged,
                    "step \(index + 1): the loss is \(batch.loss) and the gradient's norm \(norm), on \(batch.source()); "
                        + "the checkpoint before is kept. A lower --learning-rate, or other data, may help")
            }
            let factor = schedule.factor(step: index)
            optimizer.step(parameters, norm: norm, factor: factor, on: device)
            averages?.update(parameters, on: device)
            let now = clock.now, average = (now - start) / (optimizer.steps - first)
            let made = Made(
                step: optimizer.steps, loss: batch.loss, gradientNorm: norm,
                learningRate: optimizer.configuration.learningRate * factor, tokens: batch.tokens,
                tokensPerSecond: Double(batch.tokens) / ((now - begun) / .seconds(1)),
                secondsLeft: (average / .seconds(1)) * Double(steps - optimizer.steps),
                isDue: optimizer.steps == steps || optimizer.steps % checkpointEvery == 0)
            let isWanted = try report(made), isLeft = optimizer.steps < steps && isStopped()
            if made.isDue || isWanted || isLeft { try keep() }
            if isLeft { return false }
        }
        // A run whose steps were all made may have been killed before it wrote what is served.
        if first == steps { try keep() }
        return true
    }
}

import ArgumentParser
import Console
import Foundation
import MPI
import Tensors
import TextModels
import Training

struct TrainTextCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "text",
        abstract:
            "Trains all weights of a language model on texts: GPT-2's or Llama's form, from scratch or from a checkpoint.",
        discussion: """
            The data is files of plain text, each one text, or .jsonl files with {"text": …} on each line. Texts are joined by \
            the tokenizer's end token and cut into sequences. The output directory is a checkpoint as Hugging Face lays it \
            out, which nephele up serves and transformers loads, written anew with each of the run's checkpoints.
            """)

    @Option(help: "A new model's form: gpt2 or llama.")
    var architecture: DecoderBlueprint.Form?

    @Option(help: "A new model's config.json.")
    var config: String?

    @Option(help: "A directory with a checkpoint whose weights the run begins with.")
    var from: String?

    @OptionGroup(title: "The form of a new model (with --architecture)")
    var form: FormOptions

    @Option(help: "A directory with a tokenizer's files (default: that of --from).")
    var tokenizer: String?

    @Option(parsing: .upToNextOption, help: "Files of text, or of JSON Lines.")
    var data: [String]

    @Option(help: "The directory for the model and the run's checkpoint.")
    var output: String

    @Option(help: "Tokens of a sequence (default: the model's context).")
    var sequenceLength: Int?

    @Flag(help: "Texts of a sequence do not see each other, and each begins at position 0.")
    var separateDocuments = false

    @Option(help: "The share of the sequences that are not learned; their loss is told with each checkpoint.")
    var heldOut = 0.01

    @OptionGroup(title: "Steps")
    var steps: StepOptions

    @Option(help: "Decides about the first weights, the order of the sequences, and what is dropped.")
    var seed: UInt64 = 0

    @Flag(help: "Take the sequences in the order of the data.")
    var noShuffle = false

    @Flag(help: "Keep little of each layer and compute it again on the way back: less memory, a third more work.")
    var recompute = false

    @Option(help: "Keep moving averages of the weights, with this decay, as a model in OUTPUT/ema.")
    var ema: Double?

    @Option(help: "Steps from one checkpoint to the next.")
    var checkpointEvery = 100

    @Flag(help: "Go on from the checkpoint in --output, with the same options.")
    var resume = false

    @OptionGroup(title: "A scaling law")
    var sweep: SweepOptions

    @Option(help: "Steps from one sample of the model's text to the next.")
    var sampleEvery: Int?

    @Option(help: "What samples begin with (default: an empty text).")
    var samplePrompt: String?

    @Option(help: "Tokens of a sample, at most (default: 64).")
    var sampleTokens: Int?

    @Option(help: "A directory for files that TensorBoard reads.")
    var tensorboard: String?

    @Option(help: "Threads that compute (default: one for each core).")
    var threads: Int?

    @Flag(help: "Print JSON Lines: the plan, then each step.")
    var json = false

    func validate() throws {
        func check(_ holds: Bool, _ message: String) throws {
            guard holds else { throw ValidationError(message) }
        }
        try check(
            [architecture != nil, config != nil, from != nil].count { $0 } == 1,
            "say what the model is by one of --architecture, --config and --from")
        try form.validate(isUsed: architecture != nil, isGPT2: architecture == .gpt2)
        try check(tokenizer != nil || from != nil, "--tokenizer names a directory with a tokenizer's files")
        try check(!data.isEmpty, "--data needs a file")
        try validateSweep(check)
        try check((sequenceLength ?? 1) >= 1, "--sequence-length \(sequenceLength ?? 0) must be at least 1")
        try check(heldOut >= 0 && heldOut < 1, "--held-out \(heldOut) must be at least 0 and below 1")
        try check(ema.map { $0 > 0 && $0 < 1 } ?? true, "--ema \(ema ?? 0) must be above 0 and below 1")
        try check(checkpointEvery >= 1, "--checkpoint-every \(checkpointEvery) must be at least 1")
        try check((sampleEvery ?? 1) >= 1, "--sample-every \(sampleEvery ?? 0) must be at least 1")
        try check(
            sampleEvery != nil || samplePrompt == nil && sampleTokens == nil,
            "--sample-prompt and --sample-tokens say what --sample-every does; give it too")
        try check(
            (1...100_000).contains(sampleTokens ?? 64), "--sample-tokens \(sampleTokens ?? 0) is outside 1…100000")
        try check((1...1_024).contains(threads ?? 1), "--threads \(threads ?? 0) is outside 1…1024")
    }

    /// A sweep has no use for what tells of one run.
    private func validateSweep(_ check: (Bool, String) throws -> Void) throws {
        guard sweep.sweep else { return }
        try check(architecture != nil, "--sweep trains new models; give --architecture, not --config or --from")
        try check(steps.steps != nil, "--sweep cuts --steps; give it")
        try check(heldOut > 0, "--sweep compares losses of held-out text; give --held-out above 0")
        if let report = sweep.sweepReport {
            let folder = URL(fileURLWithPath: report).deletingLastPathComponent().path
            try check(
                FileManager.default.isWritableFile(atPath: folder),
                "--sweep-report \(report): its folder is not there or cannot be written")
        }
        let unused = [
            ("--ema", ema != nil), ("--sample-every", sampleEvery != nil), ("--tensorboard", tensorboard != nil),
        ]
        let given = unused.first { $0.1 }?.0
        try check(given == nil, "\(given ?? "") is of a single run; leave it out with --sweep")
    }

    func run() throws {
        let world = try MPIWorld.ofEnvironment()
        if sweep.sweep {
            guard world == nil else { throw CommandError("--sweep is of one process; leave mpirun out") }
            let device = Device(threadCount: threads ?? ProcessInfo.processInfo.activeProcessorCount)
            return try TrainingSweep(options(), steps: steps.steps ?? 1, sweep, isJSON: json).run(on: device)
        }
        let cores = max(1, ProcessInfo.processInfo.activeProcessorCount / (world?.localCount ?? 1))
        let device = Device(threadCount: threads ?? cores)
        let training = try TextTraining(options(), group: world.map(TrainingProcesses.init), on: device)
        if let world, world.rank > 0 {
            // The first process tells of the run, and writes what it leaves.
            try training.run { _ in }
            return world.end()
        }
        try tell(training, on: device)
        world?.end()
    }

    private func tell(_ training: TextTraining, on device: Device) throws {
        let plan = training.plan
        let events = try tensorboard.map { try EventFile(in: $0, after: plan.firstStep, now: Self.now) }
        let sampler = sampleEvery.map { _ in
            TrainingSampler(
                tokenizer: training.tokenizer, directory: output, prompt: samplePrompt ?? "",
                tokens: sampleTokens ?? 64, seed: seed)
        }
        var display = TrainingDisplay(steps: plan.steps, isJSON: json)
        try display.begin(plan)
        try training.run { step in
            try display.show(step)
            try events?.write(Self.numbers(of: step), step: step.step, now: Self.now)
            if let sampler, let sampleEvery, step.step % sampleEvery == 0 {
                try display.show(sample: try sampler.sample(try training.servingModel(), on: device), step: step.step)
            }
        }
        display.end(output)
    }

    private static var now: Double { Date().timeIntervalSince1970 }

    private static func numbers(of step: TextTraining.Step) -> [(tag: String, value: Double)] {
        var numbers = [
            ("train/loss", step.loss), ("train/gradient_norm", step.gradientNorm),
            ("train/learning_rate", step.learningRate), ("train/tokens_per_second", step.tokensPerSecond),
        ]
        if let loss = step.heldOutLoss { numbers.append(("held_out/loss", loss)) }
        return numbers
    }

    private func options() -> TextTraining.Options {
        let source: TextTraining.Options.Source =
            if let from {
                .checkpoint(from)
            } else if let config {
                .configuration(config)
            } else {
                .new(architecture ?? .llama, form.extents)
            }
        var options = TextTraining.Options(
            source: source, tokenizer: tokenizer ?? from ?? "", data: data, output: output)
        (options.sequenceLength, options.separatesDocuments) = (sequenceLength, separateDocuments)
        (options.heldOutShare, options.seed, options.isShuffled) = (heldOut, seed, !noShuffle)
        (options.recomputesLayers, options.averageDecay) = (recompute, ema)
        (options.checkpointEvery, options.resumes) = (checkpointEvery, resume)
        steps.apply(to: &options)
        return options
    }
}

/// Processes of Open MPI that train together.
private struct TrainingProcesses: TrainingGroup {
    let world: MPIWorld

    var rank: Int { world.rank }
    var count: Int { world.count }

    func exchange(_ own: Tensor, with partner: Int, into other: Tensor) throws {
        try world.exchange(own, with: partner, into: other)
    }

    func exchange(_ own: Double, with partner: Int) throws -> Double { try world.exchange(own, with: partner) }
}

extension DecoderBlueprint.Form: ExpressibleByArgument {}

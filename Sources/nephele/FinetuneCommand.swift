import ArgumentParser
import Console
import Foundation
import Layers
import ServiceRuntime
import Tensors
import TextModelOptions
import Training

struct FinetuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "finetune",
        abstract:
            "Trains a text model, by a LoRA or DoRA adapter or all of its weights: on answers (sft), preferences (dpo) or single judgements (kto).",
        discussion: """
            The data is JSON Lines as TRL has it: {"messages": […]} or {"prompt": …, "completion": …} for sft, {"prompt": …, \
            "chosen": …, "rejected": …} for dpo, {"prompt": …, "completion": …, "label": true} for kto. Only answers are \
            learned. The output directory is an adapter in PEFT's format, or with --full a model, which nephele up serves.
            """)

    @Option(help: "A model by name, or as NAME=DIRECTORY, or a directory with a slash.")
    var model: ModelArgument

    @Option(help: "A file of JSON Lines.")
    var data: String

    @Option(help: "A file of samples that are not learned; their loss is told with each checkpoint.")
    var heldOut: String?

    @Option(help: "The directory for the adapter and the run's checkpoint.")
    var output: String

    @Option(help: "sft, dpo or kto.")
    var method: SampleFile.Method = .sft

    @Option(help: "An adapter to begin with, which has its own rank, alpha and targets; dpo and kto compare with it.")
    var adapter: String?

    @Option(help: "The rank of the adapter's matrices (default: 16).")
    var rank: Int?

    @Option(help: "What the adapter is scaled by is alpha / rank (default: twice the rank).")
    var alpha: Double?

    @Flag(help: "Scale by alpha / √rank (rank-stabilized LoRA).")
    var rslora = false

    @Flag(help: "Give each output of the adapted layers a length of its own (DoRA).")
    var dora = false

    @Flag(help: "Train all weights of a model of GPT-2's or Llama's form, on answers; the output is a model, in f32.")
    var full = false

    @Option(help: "Linear layers to adapt, as a list: q_proj,v_proj (default: all).")
    var targets: String?

    @Option(help: "Steps of the optimizer.")
    var steps: Int?

    @Option(help: "How often each sample is seen, where --steps is not given (default: 1).")
    var epochs: Double?

    @Option(help: "Samples of a step.")
    var batch = 8

    @Option(help: "The learning rate after the warm-up.")
    var learningRate = 2e-4

    @Option(help: "How it changes then: linear or cosine (down to 0), or constant.")
    var schedule: LearningRateSchedule.Shape = .linear

    @Option(help: "Steps in which the learning rate rises from 0.")
    var warmUp = 0

    @Option(help: "AdamW's weight decay.")
    var weightDecay = 0.0

    @Option(help: "The norm that gradients have at most; 0 for any.")
    var clip = 1.0

    @Option(help: "How strongly dpo and kto hold the model to its reference (default: 0.1).")
    var beta: Double?

    @Option(help: "What kto weighs desirable completions by (default: 1).")
    var desirableWeight: Double?

    @Option(help: "What kto weighs undesirable completions by (default: 1).")
    var undesirableWeight: Double?

    @Option(help: "Tokens that a sample may have (default: the model's context).")
    var maxLength: Int?

    @Option(help: "What becomes of longer samples: refuse, cut or drop.")
    var longSamples: SampleFile.LongSamples = .refuse

    @Option(help: "Decides about the adapter's first values and the order of the samples.")
    var seed: UInt64 = 0

    @Flag(help: "Take the samples in the order of the file.")
    var noShuffle = false

    @Option(help: "How the model's own weights are held: auto, f32, bf16, f16, int8 or int4.")
    var precision: Precision = .auto

    @Flag(help: "Keep little of each layer and compute it again on the way back: less memory, a third more work.")
    var recompute = false

    @Option(help: "Steps from one checkpoint to the next.")
    var checkpointEvery = 50

    @Flag(help: "Go on from the checkpoint in --output, with the same options.")
    var resume = false

    @Option(help: "Threads that compute (default: one for each core).")
    var threads: Int?

    @Flag(help: "Print JSON Lines: the plan, then each step.")
    var json = false

    func validate() throws {
        func check(_ holds: Bool, _ message: String) throws {
            guard holds else { throw ValidationError(message) }
        }
        try check(
            adapter == nil || rank == nil && alpha == nil && !rslora && !dora && targets == nil,
            "--adapter has its own rank, alpha and targets; leave --rank, --alpha, --rslora, --dora and --targets out")
        try check(!full || method == .sft, "--full trains on answers (sft); \(method.rawValue) trains an adapter")
        try check(
            !full || adapter == nil && rank == nil && alpha == nil && !rslora && !dora && targets == nil,
            "--full trains no adapter; leave --adapter, --rank, --alpha, --rslora, --dora and --targets out")
        try check(!full || precision == .auto, "--full trains weights in f32; leave --precision out")
        try check((1...1_024).contains(rank ?? 16), "--rank \(rank ?? 0) is outside 1…1024")
        try check((alpha ?? 1).isFinite, "--alpha must be a number")
        try check(
            targets?.split(separator: ",", omittingEmptySubsequences: false).contains("") != true,
            "--targets '\(targets ?? "")' is no list of names: q_proj,v_proj")
        try check(steps == nil || epochs == nil, "give --steps or --epochs, not both")
        try check((steps ?? 1) >= 1 && (epochs ?? 1) > 0, "--steps must be at least 1, --epochs above 0")
        try check((epochs ?? 1) <= 1e6, "--epochs \(epochs ?? 0) is more than a million")
        try check((1...65_536).contains(batch), "--batch \(batch) is outside 1…65536")
        try check(learningRate > 0 && learningRate.isFinite, "--learning-rate \(learningRate) must be above 0")
        try check(warmUp >= 0, "--warm-up \(warmUp) must be at least 0")
        try check(weightDecay >= 0 && weightDecay.isFinite, "--weight-decay \(weightDecay) must be at least 0")
        try check(clip >= 0 && clip.isFinite, "--clip \(clip) must be at least 0")
        try check(beta == nil || method != .sft, "--beta is of dpo and kto, not of sft")
        try check((beta ?? 1) > 0 && (beta ?? 1).isFinite, "--beta \(beta ?? 0) must be above 0")
        let weights = [desirableWeight, undesirableWeight].compactMap { $0 }
        try check(weights.isEmpty || method == .kto, "--desirable-weight and --undesirable-weight are of kto")
        try check(weights.allSatisfy { $0 >= 0 && $0.isFinite }, "the weights of kto must be at least 0")
        try check((maxLength ?? 2) >= 2, "--max-length \(maxLength ?? 0) must be at least 2")
        try check(checkpointEvery >= 1, "--checkpoint-every \(checkpointEvery) must be at least 1")
        try check((1...1_024).contains(threads ?? 1), "--threads \(threads ?? 0) is outside 1…1024")
    }

    func run() throws {
        let device = Device(threadCount: threads ?? ProcessInfo.processInfo.activeProcessorCount)
        var training = try FineTuning(options(), on: device)
        let plan = training.plan
        guard !json else {
            try line(plan)
            try training.run { step in try line(step) }
            return
        }
        Terminal.line(
            "\(plan.samples) samples, \(plan.tokens) tokens of which \(plan.answerTokens) are learned"
                + (plan.dropped > 0 ? "; \(plan.dropped) longer ones are left out" : ""))
        Terminal.line(
            "\(plan.parameters) parameters are trained, \(plan.steps) steps"
                + (plan.firstStep > 0 ? ", of which \(plan.firstStep) are done" : ""))
        try training.run { step in Terminal.line(text(of: step, steps: plan.steps)) }
        Terminal.line("the \(full ? "model" : "adapter") is in \(output)")
    }

    private func options() throws -> FineTuning.Options {
        var options = FineTuning.Options(model: try model.directory(.text), data: data, output: output)
        (options.startingAdapter, options.heldOut) = (adapter, heldOut)
        options.objective.method = method
        options.objective.beta = beta ?? options.objective.beta
        options.objective.desirableWeight = desirableWeight ?? 1
        options.objective.undesirableWeight = undesirableWeight ?? 1
        options.adapter.rank = rank ?? options.adapter.rank
        options.adapter.alpha = alpha ?? 2 * Double(options.adapter.rank)
        options.adapter.usesRootScale = rslora
        (options.adapter.hasMagnitudes, options.isFull) = (dora, full)
        options.adapter.targets = targets?.split(separator: ",").map(String.init) ?? []
        options.optimizer.learningRate = learningRate
        options.optimizer.weightDecay = weightDecay
        options.optimizer.clip = clip
        (options.shape, options.warmUp) = (schedule, warmUp)
        (options.steps, options.epochs, options.batch) = (steps, epochs ?? 1, batch)
        (options.maxLength, options.longSamples) = (maxLength, longSamples)
        (options.seed, options.isShuffled, options.precision) = (seed, !noShuffle, precision)
        (options.recomputesLayers, options.checkpointEvery, options.resumes) = (recompute, checkpointEvery, resume)
        return options
    }

    private func line(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Terminal.line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    private func text(of step: FineTuning.Step, steps: Int) -> String {
        func rounded(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }
        let left = Int(step.secondsLeft.rounded(.up))
        var parts = [
            "step \(step.step)/\(steps)", "loss \(rounded(step.loss, 4))",
            "\(rounded(step.tokensPerSecond, 0)) tokens/s",
            left >= 60 ? "\(left / 60) min \(left % 60) s left" : "\(left) s left",
        ]
        if let loss = step.heldOutLoss { parts.append("held-out loss \(rounded(loss, 4))") }
        if let chosen = step.chosenReward { parts.append("preferred \(rounded(chosen, 3))") }
        if let rejected = step.rejectedReward { parts.append("others \(rounded(rejected, 3))") }
        return parts.joined(separator: "  ")
    }
}

extension SampleFile.Method: ExpressibleByArgument {}
extension SampleFile.LongSamples: ExpressibleByArgument {}
extension LearningRateSchedule.Shape: ExpressibleByArgument {}

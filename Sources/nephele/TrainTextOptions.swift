import ArgumentParser
import TextModels
import Training

/// The extents of a new model.
struct FormOptions: ParsableArguments {
    @Option(help: "Layers (default: 12).")
    var layers: Int?

    @Option(help: "The width of the residual stream (default: 768).")
    var width: Int?

    @Option(help: "Heads of attention, which divide the width (default: 12).")
    var heads: Int?

    @Option(help: "Heads of keys and values, which divide the heads; of llama (default: as many as heads).")
    var kvHeads: Int?

    @Option(help: "The width of the feed-forward (default: 4 times the width of gpt2, 8/3 of llama).")
    var feedForward: Int?

    @Option(help: "Positions that the model knows (default: 1024).")
    var context: Int?

    @Flag(help: "Give the head weights of its own, rather than the embedding's.")
    var untied = false

    /// - Parameter isUsed: whether there is a new model that these options are of.
    func validate(isUsed: Bool, isGPT2: Bool) throws {
        func check(_ holds: Bool, _ message: String) throws {
            guard holds else { throw ValidationError(message) }
        }
        let numbers = [
            ("--layers", layers, 1_024), ("--width", width, 65_536), ("--heads", heads, 1_024),
            ("--kv-heads", kvHeads, 1_024), ("--feed-forward", feedForward, 1_048_576),
            ("--context", context, 1_048_576),
        ]
        let given = numbers.first { $0.1 != nil }?.0 ?? (untied ? "--untied" : nil)
        try check(
            isUsed || given == nil, "\(given ?? "") is of a new model: give --architecture, or leave it out")
        for (name, value, limit) in numbers {
            try check((1...limit).contains(value ?? 1), "\(name) \(value ?? 0) is outside 1…\(limit)")
        }
        try check(!isGPT2 || kvHeads == nil, "--kv-heads is of llama: gpt2 has as many as --heads")
        let (width, heads) = (width ?? 768, heads ?? 12)
        try check(width % heads == 0, "--heads \(heads) does not divide --width \(width)")
        try check(heads % (kvHeads ?? heads) == 0, "--kv-heads \(kvHeads ?? 0) does not divide --heads \(heads)")
    }

    var extents: DecoderBlueprint.Extents {
        var extents = DecoderBlueprint.Extents()
        (extents.layers, extents.width) = (layers ?? extents.layers, width ?? extents.width)
        (extents.heads, extents.kvHeads) = (heads ?? extents.heads, kvHeads)
        (extents.feedForward, extents.context) = (feedForward, context ?? extents.context)
        extents.isTied = !untied
        return extents
    }
}

/// How a model is trained.
struct StepOptions: ParsableArguments {
    @Option(help: "Steps of the optimizer.")
    var steps: Int?

    @Option(help: "How often each sequence is seen, where --steps is not given (default: 1).")
    var epochs: Double?

    @Option(help: "Sequences of a step. They go through the model some at a time: memory does not grow with it.")
    var batch = 8

    @Option(
        help:
            "Parts of a batch, a power of two, whose gradients are added pair by pair; processes share them (default: 4, or as many as divide the batch)."
    )
    var parts: Int?

    @Option(help: "The learning rate after the warm-up.")
    var learningRate = 6e-4

    @Option(help: "How it changes then: cosine or linear (down to --final-rate), or constant.")
    var schedule: LearningRateSchedule.Shape = .cosine

    @Option(help: "Steps in which the learning rate rises from 0.")
    var warmUp = 0

    @Option(help: "What the learning rate ends at, as a part of --learning-rate.")
    var finalRate = 0.0

    @Option(help: "AdamW's weight decay of matrices; norms and biases have none.")
    var weightDecay = 0.1

    @Option(help: "AdamW's decay of the mean of gradients.")
    var beta1 = 0.9

    @Option(help: "AdamW's decay of the mean of their squares.")
    var beta2 = 0.95

    @Option(help: "What AdamW adds to the root of that mean.")
    var epsilon = 1e-8

    @Option(help: "The norm that gradients have at most; 0 for any.")
    var clip = 1.0

    func validate() throws {
        func check(_ holds: Bool, _ message: String) throws {
            guard holds else { throw ValidationError(message) }
        }
        try check(steps == nil || epochs == nil, "give --steps or --epochs, not both")
        try check(
            (1...100_000_000).contains(steps ?? 1) && (epochs ?? 1) > 0 && (epochs ?? 1) <= 1e6,
            "--steps must be 1…100000000, --epochs above 0 and a million at most")
        try check((1...65_536).contains(batch), "--batch \(batch) is outside 1…65536")
        try check((1...1_024).contains(parts ?? 1), "--parts \(parts ?? 0) is outside 1…1024")
        try check(learningRate > 0 && learningRate.isFinite, "--learning-rate \(learningRate) must be above 0")
        try check(warmUp >= 0, "--warm-up \(warmUp) must be at least 0")
        try check((0...1).contains(finalRate), "--final-rate \(finalRate) is outside 0…1")
        try check(weightDecay >= 0 && weightDecay.isFinite, "--weight-decay \(weightDecay) must be at least 0")
        for (name, value) in [("--beta1", beta1), ("--beta2", beta2)] {
            try check(value >= 0 && value < 1, "\(name) \(value) must be at least 0 and below 1")
        }
        try check(epsilon > 0 && epsilon.isFinite, "--epsilon \(epsilon) must be above 0")
        try check(clip >= 0 && clip.isFinite, "--clip \(clip) must be at least 0")
    }

    func apply(to options: inout TextTraining.Options) {
        (options.steps, options.epochs, options.batch, options.parts) = (steps, epochs ?? 1, batch, parts)
        options.optimizer.learningRate = learningRate
        options.optimizer.weightDecay = weightDecay
        (options.optimizer.beta1, options.optimizer.beta2, options.optimizer.epsilon) = (beta1, beta2, epsilon)
        options.optimizer.clip = clip
        (options.shape, options.warmUp, options.floor) = (schedule, warmUp, finalRate)
    }
}

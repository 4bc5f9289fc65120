package import ArgumentParser
package import Layers
package import ModelServing
package import Tensors
package import TextGeneration

/// How a text model is held and run, alone or within `nephele up`.
package struct TextModelOptions: ParsableArguments {
    @Option(help: "How text models hold their weights: auto (the checkpoint's own), f32, bf16, f16, int8 or int4.")
    package var precision: Precision = .auto

    @Option(
        help: """
            What whole-number weights multiply: auto (int16 for a file's own blocks, int8 for weights rounded here), \
            int8 (faster on prompts) or int16 (truer).
            """)
    package var activations: ActivationPrecision = .auto

    @Option(help: "How text models hold keys and values: f32, bf16 or int8.")
    package var cachePrecision: CachePrecision = .bf16

    @Option(help: "Positions that a text model's key-value cache holds, over all requests.")
    package var cachePositions: Int = 16_384

    @Option(help: "Sequences that a text model runs together, at most.")
    package var sequences: Int = 64

    @Option(
        help: """
            Copies of recurrent states that a text model keeps for prompts to come, at most; of models with such layers \
            (Qwen 3.5, LFM 2).
            """)
    package var stateCheckpoints: Int = 32

    @Option(
        help: """
            Where packed weights are kept for the next start: a directory, or none. NEPHELE_CACHE by default, else the \
            user's cache directory.
            """)
    package var cacheDir: String?

    @Option(help: "Adapters of a text model that are loaded together, at most.")
    package var adapterLimit: Int = 64

    @Option(help: "MiB that a text model's adapters may take together.")
    package var adapterMemory: Int = 1_024

    @Option(
        help: "What proposes tokens for text models to check, several a step: none, or lookup (in prompt and answer).")
    package var speculate: Speculation = .none

    @Option(
        help: ArgumentHelp(
            "Models that nobody asks for this long give their memory back, and are loaded again for the next request, "
                + "which waits: 30s, 10m, 2h. Never by default.", valueName: "time"))
    package var idleUnload: IdleTime?

    package init() {}

    /// What an engine gets of them.
    package var engine: EngineCore.Options {
        var engine = EngineCore.Options(cachePositions: cachePositions)
        (engine.sequenceLimit, engine.cachePrecision) = (sequences, cachePrecision)
        engine.stateCheckpoints = stateCheckpoints
        engine.looksUpDrafts = speculate == .lookup
        return engine
    }

    package func validate() throws {
        guard (32...16_777_216).contains(cachePositions) else {
            throw ValidationError("--cache-positions is \(cachePositions); give 32 to 16777216")
        }
        guard (1...4_096).contains(sequences) else {
            throw ValidationError("--sequences is \(sequences); give 1 to 4096")
        }
        guard (0...65_536).contains(stateCheckpoints) else {
            throw ValidationError("--state-checkpoints is \(stateCheckpoints); give 0 to 65536")
        }
        guard (0...65_536).contains(adapterLimit) else {
            throw ValidationError("--adapter-limit is \(adapterLimit); give 0 to 65536")
        }
        guard (0...1_048_576).contains(adapterMemory) else {
            throw ValidationError("--adapter-memory is \(adapterMemory); give 0 to 1048576 MiB")
        }
    }
}

/// All targets by name. Making one may read and compute; only a child does it.
enum Targets {
    static let names = [
        "messages", "frames", "safetensors", "gguf", "gguf-encoders", "gguf-parts", "config", "quantized", "adapter",
        "encoder-config",
        "sentences",
        "packed-cache", "pictures", "credentials", "tokenizer-json",
        "tokenizer-config", "vocabulary", "merges", "sentencepiece", "unigram", "family", "tekken", "tiktoken",
        "vocab-txt",
        "template", "routes", "hub", "ollama", "http",
    ]

    static func make(_ name: String) async throws -> any FuzzTarget {
        let goldens = "TokenizersTests/Goldens/"
        switch name {
        case "messages": return MessageTarget()
        case "frames": return try FrameTarget()
        case "safetensors": return try SafetensorsTarget()
        case "gguf": return try GGUFTarget()
        case "gguf-encoders": return try GGUFEncodersTarget()
        case "gguf-parts": return try GGUFPartsTarget()
        case "config": return try ModelConfigurationTarget()
        case "adapter": return try AdapterTarget()
        case "quantized": return try QuantizedTarget()
        case "encoder-config": return try EncoderConfigurationTarget()
        case "sentences": return try SentenceFilesTarget()
        case "packed-cache": return try PackedCacheTarget()
        case "pictures": return try PictureTarget()
        case "credentials": return try CredentialsTarget()
        case "tokenizer-json":
            return try TokenizerFileTarget("tokenizer.json", .json, samples: try TokenizerSamples.all())
        case "tokenizer-config":
            return try TokenizerFileTarget(
                "tokenizer_config.json", .json, folders: [goldens + "llama3-tiny"], beside: ["tokenizer.json"])
        case "vocabulary":
            return try TokenizerFileTarget(
                "vocab.json", .json, folders: [goldens + "gpt2-tiny"], beside: ["merges.txt"])
        case "merges":
            return try TokenizerFileTarget(
                "merges.txt", .text, folders: [goldens + "gpt2-tiny"], beside: ["vocab.json"])
        case "sentencepiece":
            return try TokenizerFileTarget("tokenizer.model", .protobuf, folders: [goldens + "llama2-tiny"])
        case "unigram":
            // A model of another kind, and a map of characters behind it
            return try TokenizerFileTarget("tokenizer.model", .protobuf, samples: try SentencePieceSamples.all())
        case "family":
            let families = ["T5", "XLMRoberta", "Camembert", "Albert", "XLNet", "DebertaV2"].map { $0 + "Tokenizer" }
            return try TokenizerFileTarget(
                "spiece.model", .protobuf, samples: try SentencePieceSamples.all(), families: families)
        case "tekken": return try TokenizerFileTarget("tekken.json", .json, folders: [goldens + "tekken-tiny"])
        case "tiktoken":
            return try TokenizerFileTarget("cl100k_base.tiktoken", .text, folders: [goldens + "tiktoken-tiny"])
        case "vocab-txt":
            let pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##lo", "he", ",", "world", "##l"]
            return try TokenizerFileTarget(
                "vocab.txt", .text, samples: [Array(pieces.joined(separator: "\n").utf8)])
        case "template": return try TemplateTarget()
        case "routes": return try RoutesTarget()
        case "hub": return try HubTarget()
        case "ollama": return try OllamaTarget()
        case "http": return try await GatewayTarget()
        case "planted-crash", "planted-hang", "planted-growth", "planted-finding": return PlantedTarget(fault: name)
        default: throw FuzzFinding(description: "there is no target \(name); known: \(names.joined(separator: ", "))")
        }
    }
}

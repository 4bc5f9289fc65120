import Layers
import Tensors
import TextModels

/// A LoRA adapter: `adapter_config.json`, its tensors, or llama.cpp's file of it.
struct AdapterTarget: FuzzTarget {
    /// The files of an adapter, and what only they hold.
    private struct Adapter {
        var mark: String
        var configuration: [UInt8]
        var tensors: [UInt8]
    }

    let kind = SampleKind.json
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let model: any TextModel
    private let device = Device(threadCount: 1)
    private let adapters: [Adapter]

    init() throws {
        scratch = try Scratch()
        let folder = "TextModelsTests/Goldens/adapters/"
        model = try TextModelLoader.load(directory: Corpus.path("TextModelsTests/Goldens/llama"), on: device)
        adapters = try [
            ("llama-dora", "lora_magnitude"), ("llama-tokens", "trainable_tokens"),
            ("llama-embedding", "lora_embedding"),
            ("llama-lora-bias", "lora_B.bias"), ("llama-saved", "lm_head"), ("llama-list", ""),
        ].map { name, mark in
            Adapter(
                mark: mark, configuration: try Corpus.file(folder + name + "/adapter_config.json"),
                tensors: try Corpus.file(folder + name + "/adapter_model.safetensors"))
        }
        samples =
            adapters.flatMap { [$0.configuration, $0.tensors] }
            + [
                try Corpus.file(folder + "llama-regex/adapter_config.json"),
                try Corpus.file(folder + "llama-gguf/adapter.gguf"),
            ]
    }

    mutating func run(_ input: [UInt8]) throws {
        if input.starts(with: Array("GGUF".utf8)) {
            try scratch.write(input, to: "a.gguf")
            _ = try? LowRankAdapter(directory: scratch.path + "/a.gguf", for: model, byteLimit: 1 << 26, on: device)
            return
        }
        // A file of tensors begins with a length, JSON does not.
        let isJSON = input.first { $0 > 0x20 } == UInt8(ascii: "{") && input.prefix(8).allSatisfy { $0 != 0 }
        let text = String(decoding: input.prefix(4_096), as: UTF8.self)
        let own = adapters.first { text.contains($0.mark) || $0.mark.isEmpty } ?? adapters[0]
        let adapter = isJSON ? adapters[input.count % adapters.count] : own
        try scratch.write(isJSON ? input : adapter.configuration, to: "adapter_config.json")
        try scratch.write(isJSON ? adapter.tensors : input, to: "adapter_model.safetensors")
        _ = try? LowRankAdapter(directory: scratch.path, for: model, byteLimit: 1 << 26, on: device)
    }
}

/// The weights of checkpoints that others quantized, or in every fourth case their `config.json`.
struct QuantizedTarget: FuzzTarget {
    private static let formats = [
        ("gptq-int4-actorder", "g_idx"), ("awq-int4", "qweight"), ("ct-int4-asym", "weight_packed"),
        ("fp8-tensor", "weight_scale_inv"), ("bnb-nf4-double", "nested_absmax"), ("bnb-int8", "SCB"), ("ct-int8", ""),
    ]

    let kind = SampleKind.json
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let configurations: [[UInt8]]
    private let device = Device(threadCount: 1)

    init() throws {
        scratch = try Scratch()
        let folder = "TextModelsTests/Goldens/quantized/"
        configurations = try Self.formats.map { try Corpus.file(folder + $0.0 + "/config.json") }
        samples = try Self.formats.map { try Corpus.file(folder + $0.0 + "/model.safetensors") } + configurations
    }

    mutating func run(_ input: [UInt8]) throws {
        let text = String(decoding: input.prefix(16_384), as: UTF8.self)
        if input.first == UInt8(ascii: "{") {
            let method = ["gptq", "awq", "compressed", "fp8", "bitsandbytes"].firstIndex { text.contains($0) } ?? 6
            try scratch.write(input, to: "config.json")
            try scratch.write(samples[method], to: "model.safetensors")
        } else {
            let format = Self.formats.firstIndex { text.contains($0.1) || $0.1.isEmpty } ?? 0
            try scratch.write(configurations[format], to: "config.json")
            try scratch.write(input, to: "model.safetensors")
        }
        _ = try? TextModelLoader.load(directory: scratch.path, on: device)
    }
}

/// An encoder's `config.json`, over weights that fit one.
struct EncoderConfigurationTarget: FuzzTarget {
    let kind = SampleKind.json
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let device = Device(threadCount: 1)

    init() throws {
        scratch = try Scratch()
        let folder = "TextModelsTests/Goldens/encoders/"
        samples = try [
            "bert", "bert-classifier", "roberta", "distilbert", "mpnet", "modernbert", "nomic_bert",
        ].map { try Corpus.file(folder + $0 + "/config.json") }
        try scratch.write(try Corpus.file(folder + "bert/model.safetensors"), to: "model.safetensors")
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(input, to: "config.json")
        _ = try? TextEncoderLoader.load(directory: scratch.path, on: device)
    }
}

/// What sentence-transformers writes beside a checkpoint.
struct SentenceFilesTarget: FuzzTarget {
    let kind = SampleKind.json
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let device = Device(threadCount: 1)

    private static let files = ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"]

    init() throws {
        scratch = try Scratch()
        let folder = "TextModelsTests/Goldens/sentences/"
        samples = try ["poolings", "dense", "verdict", "identity"].flatMap { name in
            try Corpus.files(folder + name) { Self.files.contains($0) || $0 == "config.json" }
        }
        try scratch.write(try Corpus.file(folder + "poolings/config.json"), to: "config.json")
    }

    mutating func run(_ input: [UInt8]) throws {
        for name in Self.files {
            try scratch.write(input, to: name)
            _ = SentenceFiles.names(directory: scratch.path)
            if let files = try? SentenceFiles(directory: scratch.path) {
                _ = try? files.denseLayers(width: 48 * files.pooling.count, on: device)
            }
            try scratch.write(Array(name == "modules.json" ? "[]".utf8 : "{}".utf8), to: name)
        }
    }
}

import CKernels
import DiffusionModels
import Layers
import PNG
import Tensors
import TextModels
import Tokenizers

/// Safetensors: header and tensors.
struct SafetensorsTarget: FuzzTarget {
    let kind = SampleKind.json
    let samples: [[UInt8]]
    private let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        samples =
            try ["llama-list", "gpt2-layer"].map {
                try Corpus.file("TextModelsTests/Goldens/adapters/\($0)/adapter_model.safetensors")
            } + [Self.file(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"b":"c"}}"#, 8)]
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(input, to: "f.safetensors")
        guard let file = try? SafetensorsFile(path: scratch.path + "/f.safetensors") else { return }
        for (name, entry) in file.entries {
            _ = try? file.tensor(name, shape: entry.shape)
        }
    }

    private static func file(_ header: String, _ bytes: Int) -> [UInt8] {
        [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8) + [UInt8](repeating: 1, count: bytes)
    }
}

/// GGUF: header, tensors, blocks, the tokenizer inside, and the model.
struct GGUFTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let device = Device(threadCount: 1)

    init() throws {
        scratch = try Scratch()
        samples =
            try Corpus.files("TextModelsTests/Goldens/gguf") { $0.hasSuffix(".gguf") && $0 != "blocks.gguf" }
            + Corpus.files("TokenizersTests/Goldens/gguf") { $0.hasSuffix(".gguf") }
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(input, to: "f.gguf")
        let path = scratch.path + "/f.gguf"
        guard let file = try? GGUFFile(path: path) else { return }
        for (name, info) in file.header.tensors {
            _ = try? file.tensor(name)
            _ = try? file.blocks(name, shape: info.shape)
        }
        if let tokenizer = try? Tokenizer(gguf: path) { Texts.use(tokenizer) }
        _ = try? TextModelLoader.load(directory: path, on: device)
    }
}

/// GGUF files of encoders and rerankers, up to their first vector.
struct GGUFEncodersTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let device = Device(threadCount: 1)

    init() throws {
        scratch = try Scratch()
        samples = try Corpus.files("TextModelsTests/Goldens/gguf") { $0.contains("bert") }
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(input, to: "f.gguf")
        let path = scratch.path + "/f.gguf"
        guard (try? TextEncoderLoader.isEncoder(directory: path)) == true,
            let encoder = try? TextEncoderLoader.load(directory: path, on: device)
        else { return }
        var texts = PackedTexts()
        texts.append([1, 2, 3].map { min($0, Int32(encoder.shape.vocabulary) - 1) })
        _ = try? encoder.states(of: texts, on: device)
    }
}

/// A GGUF model in three files, of which one is changed: that which says so, or where none does, any.
struct GGUFPartsTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let device = Device(threadCount: 1)
    private static let names = (1...3).map { "llama-0000\($0)-of-00003.gguf" }

    init() throws {
        scratch = try Scratch()
        samples = try Self.names.map { try Corpus.file("TextModelsTests/Goldens/gguf-parts/" + $0) }
        for (name, part) in zip(Self.names, samples) { try scratch.write(part, to: name) }
    }

    mutating func run(_ input: [UInt8]) throws {
        let key = Array("split.no".utf8)
        let place = input.indices.first { input[$0] == key[0] && input[$0...].starts(with: key) } ?? 0
        // Behind the key stands the number's type.
        let number = place + key.count + 4
        let part = number < input.count && input[number] < 3 ? Int(input[number]) : input.count % 3
        try scratch.write(input, to: Self.names[part])
        defer { try? scratch.write(samples[part], to: Self.names[part]) }
        let path = scratch.path + "/" + Self.names[0]
        guard let file = try? GGUFFile(path: path) else { return }
        for (name, info) in file.header.tensors { _ = try? file.blocks(name, shape: info.shape) }
        _ = try? TextModelLoader.load(directory: scratch.path, on: device)
    }
}

/// A model's `config.json`, over weights that fit the right one.
struct ModelConfigurationTarget: FuzzTarget {
    let kind = SampleKind.json
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let device = Device(threadCount: 1)
    private var turn = 0

    private static let models = [
        "llama", "gpt2", "gemma2", "gemma3", "phi3-longrope", "qwen3", "mistral", "llama3-scaled",
    ]

    init() throws {
        scratch = try Scratch()
        samples = try Self.models.map { try Corpus.file("TextModelsTests/Goldens/\($0)/config.json") }
        try scratch.write(
            try Corpus.file("TextModelsTests/Goldens/qwen3/model.safetensors"), to: "model.safetensors")
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(input, to: "config.json")
        _ = try? TextModelLoader.load(directory: scratch.path, on: device)
    }
}

/// The cache of packed weights.
struct PackedCacheTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let device = Device(threadCount: 1)

    init() throws {
        scratch = try Scratch()
        let directory = CacheDirectory(path: scratch.path)
        let matrices = [
            ("a", try PackedMatrix(try Tensor(zeros: [40, 64], dtype: .f32), on: device)),
            ("b", try PackedMatrix(try Tensor(zeros: [16, 32], dtype: .f32), on: device)),
        ]
        let cache = PackedCache(directory, key: "k", patience: .zero, on: device)
        for (name, matrix) in matrices {
            _ = try cache.matrix(name, columns: matrix.columns, depth: matrix.depth) { matrix }
        }
        cache.write()
        samples = [try scratch.read("k.packed")]
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(Self.summed(input), to: "k.packed")
        let cache = PackedCache(CacheDirectory(path: scratch.path), key: "k", patience: .zero, on: device)
        guard cache.isWarm else { return }
        // It is whole, whatever was changed: then its matrices are too.
        _ = try? cache.matrix("a", columns: 40, depth: 64) { () throws(TensorError) in
            try PackedMatrix(try Tensor(zeros: [40, 64], dtype: .f32), on: device)
        }
    }
}

extension PackedCacheTarget {
    /// With the header's checksum and the file's size set right, so that what is behind them is looked at.
    private static func summed(_ input: [UInt8]) -> [UInt8] {
        guard input.count >= 64 else { return input }
        var file = input
        func word(_ index: Int) -> UInt64 {
            file[8 * index..<8 * index + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        func set(_ index: Int, _ value: UInt64) {
            for byte in 0..<8 { file[8 * index + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
        }
        set(4, UInt64(file.count))
        guard word(2) <= UInt64(file.count - 64) else { return file }
        let header = Array(file[64..<64 + Int(word(2))])
        var sum: UInt64 = 0
        header.withUnsafeBufferPointer { buffer in
            withUnsafeMutablePointer(to: &sum) { sum in
                let args = nephele_checksum_args(
                    data: buffer.baseAddress, bytes: buffer.count, block_bytes: max(1, buffer.count), sums: sum)
                withUnsafePointer(to: args) { nephele_checksum($0, 0, 1) }
            }
        }
        set(3, sum)
        return file
    }
}

/// A drawing's checkpoint, and a picture.
struct PictureTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]]

    init() throws {
        let rgba = [UInt8](unsafeUninitializedCapacity: 8 * 8 * 4) { buffer, count in
            for index in 0..<256 { buffer[index] = UInt8(truncatingIfNeeded: index * 7) }
            count = 256
        }
        let checkpoint = try DiffusionCheckpoint(bytes: Self.checkpoint)
        samples = [try PNG.encode(rgba: rgba, width: 8, height: 8), checkpoint.bytes]
    }

    mutating func run(_ input: [UInt8]) throws {
        _ = try? PNG.decode(input, pixelLimit: 1 << 20)
        if let checkpoint = try? DiffusionCheckpoint(bytes: input), checkpoint.bytes.count != input.count {
            throw FuzzFinding(description: "a checkpoint does not survive its encoding")
        }
    }

    private static var checkpoint: [UInt8] {
        [0x4E44_4301, 1, 9, 1, 1, 2, 2, 0, 0, 1, 2, 3].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: UInt32(word) >> UInt32(8 * $0)) }
        }
    }
}

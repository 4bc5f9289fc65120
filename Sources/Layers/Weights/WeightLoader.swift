internal import Synchronization
package import Tensors

/// How a model's matrices are held in memory.
package enum Precision: String, Sendable, CaseIterable {
    /// As the checkpoint has them.
    case auto
    case f32, bf16, f16
    /// Whole numbers in groups of 64 inputs, activations in 8 bits; embedding and head keep 8 bits.
    case int8, int4

    /// The format in groups, if it is one.
    func grouped(isVocabulary: Bool) -> GroupedFormat? {
        switch self {
        case .int8: GroupedFormat(bits: 8)
        case .int4: GroupedFormat(bits: isVocabulary ? 8 : 4)
        case .auto, .f32, .bf16, .f16: nil
        }
    }
}

/// To what the rows are rounded that whole-number weights multiply.
package enum ActivationPrecision: String, Sendable, CaseIterable {
    /// 15 bits for weights that a file holds in blocks (of GGUF, GPTQ and the like): the products then stand for those
    /// weights nearly to the last bit. 8 bits for weights that Nephele rounded itself.
    case auto
    /// 8 bits and a scale a group. Faster where a prompt's rows, not memory, take the time.
    case int8
    /// 15 bits and a scale a group, in the place of 16: two products of bytes, or one of 16-bit words.
    case int16
}

/// Loads a checkpoint's tensors by name, each in the shape that the configuration demands.
package struct WeightLoader {
    package let checkpoint: any WeightSource
    package let device: Device
    var precision = Precision.auto
    var activations = ActivationPrecision.auto
    /// Is shown the matrices that were quantized.
    var recorder: QuantizedRecorder?
    /// What another process has packed.
    var cache: PackedCache?
    /// The layers that are loaded; nil for all.
    package var layers: Range<Int>?
    /// Numbers the linear layers.
    package let linearModules = LinearModuleList()
    /// What every name begins with in this file (GPT-2 files differ in it).
    package var prefix = ""
    /// What the architecture's files call parts of a name, by what they are asked for as.
    package var ownNames: [String: String] = [:]
    /// Whether adapters do not fit the linear layers, which have other rows or columns than the checkpoint that they
    /// were trained with.
    package var hidesModules = false

    /// - Parameters:
    ///   - recorder: is shown the matrices that are quantized on the way.
    ///   - layers: those that are loaded; nil for all.
    package init(
        checkpoint: any WeightSource, device: Device, precision: Precision = .auto,
        activations: ActivationPrecision = .auto, recorder: QuantizedRecorder? = nil, cache: PackedCache? = nil,
        layers: Range<Int>? = nil
    ) {
        (self.checkpoint, self.device) = (checkpoint, device)
        (self.precision, self.activations) = (precision, activations)
        (self.recorder, self.cache, self.layers) = (recorder, cache, layers)
    }

    /// What files put in the place of `model.`: those that were saved from the base class leave it out, and in those of a
    /// model of text and pictures the language model is a part.
    private static let roots = ["model.", "", "model.language_model.", "language_model.model."]

    /// A tensor's name in this file.
    package func fileName(_ name: String) -> String {
        let name = checkpoint.layout == .huggingFace ? ownName(name) : name
        guard name.hasPrefix("model."),
            let root = Self.roots.first(where: { checkpoint.contains($0 + "embed_tokens.weight") })
        else { return prefix + name }
        return prefix + root + name.dropFirst("model.".count)
    }

    /// The name with those parts in the place of which the architecture has its own.
    private func ownName(_ name: String) -> String {
        guard !ownNames.isEmpty else { return name }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        for length in (1...parts.count).reversed() {
            for start in 0...parts.count - length {
                guard let own = ownNames[parts[start..<start + length].joined(separator: ".")] else { continue }
                return (parts[..<start] + [Substring(own)] + parts[(start + length)...]).joined(separator: ".")
            }
        }
        return name
    }

    /// The layers that are loaded.
    ///
    /// - Parameter count: layers of the whole model.
    /// - Throws: `TensorError.mismatch` when the model does not have them.
    package func layers(of count: Int) throws(TensorError) -> Range<Int> {
        let layers = layers ?? 0..<count
        guard !layers.isEmpty, layers.lowerBound >= 0, layers.upperBound <= count else {
            throw TensorError(
                .mismatch,
                "layers \(layers.lowerBound)-\(layers.upperBound - 1) are asked for; the model has 0-\(count - 1)")
        }
        return layers
    }

    package func vector(_ name: String, count: Int) throws(TensorError) -> Tensor {
        try checkpoint.tensor(fileName(name), shape: [count], rows: nil).widened()
    }

    package func table(_ name: String, shape: [Int]) throws(TensorError) -> Tensor {
        try checkpoint.tensor(fileName(name), shape: shape, rows: nil).widened()
    }

    /// The filters of a convolution of each channel by itself, `[channels, taps]`; Hugging Face's files have a 1 between.
    package func channelFilters(_ name: String, channels: Int, taps: Int) throws(TensorError) -> Tensor {
        let shape = checkpoint.layout == .huggingFace ? [channels, 1, taps] : [channels, taps]
        return try table(name, shape: shape).reshaped([channels, taps])
    }

    /// How fast heads forget, numbers above 0: Hugging Face's files hold their logarithms, llama.cpp's their negatives.
    package func decayRates(_ name: String, count: Int) throws(TensorError) -> Tensor {
        let stored = try vector(name, count: count)
        let isLogarithm = checkpoint.layout == .huggingFace
        return try Tensor(stored.floats.map { isLogarithm ? Device.exp($0) : -$0 }, shape: [count])
    }

    /// - Parameter transposed: whether the file holds `[inputs, outputs]`.
    package func linear(
        _ name: String, outputs: Int, inputs: Int, bias: Bool, transposed: Bool = false
    ) throws(TensorError) -> Linear {
        let weight = try matrix(name + ".weight", outputs: outputs, inputs: inputs, transposed: transposed)
        let own = bias ? try vector(name + ".bias", count: outputs) : nil
        return linearModules.add(hidesModules ? nil : ownName(name), inputs: inputs, parts: [(weight, own)])[0]
    }

    /// A joint projection, cut into linear layers of `parts` outputs.
    package func linears(
        _ name: String, parts: [Int], inputs: Int, bias: Bool, transposed: Bool = false
    ) throws(TensorError) -> [Linear] {
        let all = parts.reduce(0, +)
        let bias = bias ? try vector(name + ".bias", count: all).floats : nil
        let matrix = MatrixSource(self, name + ".weight", outputs: all, inputs: inputs, transposed: transposed)
        var linears: [(weight: PackedMatrix, bias: Tensor?)] = []
        var first = 0
        for part in parts {
            let outputs = first..<first + part
            let own = try bias.map { floats throws(TensorError) in try Tensor(Array(floats[outputs]), shape: [part]) }
            linears.append((try matrix.packed(outputs), own))
            first += part
        }
        return linearModules.add(hidesModules ? nil : ownName(name), inputs: inputs, parts: linears)
    }

    package func matrix(
        _ name: String, outputs: Int, inputs: Int, transposed: Bool = false
    ) throws(TensorError) -> PackedMatrix {
        try MatrixSource(self, name, outputs: outputs, inputs: inputs, transposed: transposed).packed()
    }

    /// The head of a language model, if the file has one of its own: where the configuration says that the embedding is
    /// the head too, the file may hold it a second time, or another matrix, which then counts, as in transformers 5.
    package func ownHead(embedding: String, tied: Bool) throws(TensorError) -> String? {
        let head = "lm_head.weight"
        guard checkpoint.contains(head) else { return nil }
        guard tied, try isSame(head, fileName(embedding)) else { return head }
        return nil
    }

    /// Whether two tensors of the file are equal, scales included.
    private func isSame(_ a: String, _ b: String) throws(TensorError) -> Bool {
        let names = [(a, b), (a + GroupedWeights.scalesSuffix, b + GroupedWeights.scalesSuffix)]
        for (a, b) in names where checkpoint.contains(a) || checkpoint.contains(b) {
            guard checkpoint.contains(a), checkpoint.contains(b), let shape = checkpoint.shape(of: a),
                checkpoint.shape(of: b) == shape, let count = shape.first
            else { return false }
            // A few rows first: they tell most that differ.
            var portions = stride(from: 0, to: count, by: max(1, count / 16)).map { $0..<$0 + 1 }
            portions += stride(from: 0, to: count, by: 2_048).map { $0..<min($0 + 2_048, count) }
            for rows in portions {
                let x = try checkpoint.tensor(a, shape: nil, rows: rows)
                let y = try checkpoint.tensor(b, shape: nil, rows: rows)
                let isEqual = x.dtype == y.dtype ? x.hasBytes(of: y) : try x.widened().floats == y.widened().floats
                guard isEqual else { return false }
            }
        }
        return true
    }

    /// An embedding or a head `[V, C]`: never below 8 bits.
    package func vocabulary(_ name: String, tokens: Int, width: Int) throws(TensorError) -> PackedMatrix {
        try MatrixSource(self, name, outputs: tokens, inputs: width, isVocabulary: true).packed()
    }
}

/// Keeps what a loader quantizes, to be written as a checkpoint.
package final class QuantizedRecorder: Sendable {
    private let matrices = Mutex<[String: GroupedWeights]>([:])

    package init() {}

    /// By the name of the tensor that was quantized.
    package var recorded: [String: GroupedWeights] { matrices.withLock { $0 } }

    func record(_ name: String, _ weights: GroupedWeights) { matrices.withLock { $0[name] = weights } }
}

import Tensors

/// A matrix on its way from a checkpoint to panels, whole or cut into parts: from the packed cache where it is there,
/// else read when its first part is asked for.
final class MatrixSource {
    /// One of several matrices in one tensor, whose first dimension counts them.
    struct Expert {
        var index: Int
        var count: Int
    }

    private let loader: WeightLoader
    private let name: String
    private let expert: Expert?
    /// Which of the file's outputs each output is; nil where they stand as they are.
    private let order: [Int]?
    private let outputs: Int
    private let inputs: Int
    /// Whether the file holds `[inputs, outputs]`.
    private let isTransposed: Bool
    private let isVocabulary: Bool
    private var values: MatrixValues?

    /// Outputs of a vocabulary are read and packed in portions of about this size, so that loading takes little more
    /// memory than the panels.
    private static let portionBytes = 8 << 20

    /// - Parameters:
    ///   - transposed: whether a file of Hugging Face's layout holds `[inputs, outputs]`.
    ///   - order: which of the file's outputs each output is; as they stand by default.
    init(
        _ loader: WeightLoader, _ name: String, outputs: Int, inputs: Int, transposed: Bool = false,
        isVocabulary: Bool = false, expert: Expert? = nil, order: [Int]? = nil
    ) {
        (self.expert, self.order) = (expert, order)
        self.loader = loader
        self.name = loader.fileName(name)
        (self.outputs, self.inputs, self.isVocabulary) = (outputs, inputs, isVocabulary)
        isTransposed = transposed && loader.checkpoint.layout == .huggingFace
    }

    /// All outputs.
    func packed() throws(TensorError) -> PackedMatrix { try packed(0..<outputs) }

    /// Some of the outputs.
    ///
    /// - Throws: `TensorError` that names the file and the tensor.
    func packed(_ part: Range<Int>) throws(TensorError) -> PackedMatrix {
        var matrix = try fromCache(part)
        matrix.hasWideInputs =
            switch loader.activations {
            case .auto: isInBlocks
            case .int8: false
            case .int16: true
            }
        return matrix
    }

    /// Some of the file's outputs as inputs: `[inputs, part]`. Floats, of the file's type or the one that is asked for:
    /// whole numbers have their scales along the other side.
    ///
    /// - Throws: `TensorError` that names the file and the tensor; `.mismatch` for a matrix that others rounded.
    func packedTransposed(_ part: Range<Int>) throws(TensorError) -> PackedMatrix {
        guard !isInBlocks, !loader.checkpoint.contains(name + GroupedWeights.scalesSuffix), !isTransposed else {
            throw TensorError(
                .mismatch,
                "\"\(name)\" is in whole numbers, but has to be turned here; take a checkpoint of floats, and --precision"
            )
        }
        func pack() throws(TensorError) -> PackedMatrix {
            let tensor = try loader.checkpoint.tensor(name, shape: [outputs, inputs], rows: part)
            return try PackedMatrix(
                try converted(tensor), transposed: true, outputs: 0..<inputs, on: loader.device)
        }
        guard let cache = loader.cache else { return try pack() }
        let key = "\(name)[\(part.lowerBound)..<\(part.upperBound)]ᵀ"
        return try cache.matrix(key, columns: inputs, depth: part.count, pack: pack)
    }

    /// Whether others rounded the weights.
    private var isInBlocks: Bool {
        loader.checkpoint.layout == .gguf || loader.checkpoint.isQuantized(name)
            || loader.checkpoint.contains(name + MXFP4Matrix.blocksSuffix)
    }

    private func fromCache(_ part: Range<Int>) throws(TensorError) -> PackedMatrix {
        guard let cache = loader.cache else { return try pack(part) }
        let whole = expert.map { "\(name)[\($0.index)]" } ?? name
        let key = part == 0..<outputs ? whole : "\(whole)[\(part.lowerBound)..<\(part.upperBound)]"
        return try cache.matrix(key, columns: part.count, depth: inputs) { () throws(TensorError) in try pack(part) }
    }

    private func pack(_ part: Range<Int>) throws(TensorError) -> PackedMatrix {
        // What is recorded, to be written as a checkpoint, is wanted whole.
        if isVocabulary, loader.recorder == nil, !loader.checkpoint.isQuantized(name) { return try packPortions() }
        let values: MatrixValues
        if let known = self.values {
            values = known
        } else {
            let read = try read(nil)
            values = try order.map { order throws(TensorError) in try read.reordered(order) } ?? read
        }
        self.values = values
        return try values.packed(part, on: loader.device)
    }

    private func packPortions() throws(TensorError) -> PackedMatrix {
        let whole = max(16, Self.portionBytes / max(1, inputs * 4) / 16 * 16)
        var first = min(whole, outputs)
        let start = try read(0..<first).packed(0..<first, on: loader.device)
        guard first < outputs else { return start }
        let all = try PackedMatrix(zerosLike: start, columns: outputs)
        all.copy(start, at: 0)
        while first < outputs {
            let rows = first..<min(first + whole, outputs)
            all.copy(try read(rows).packed(0..<rows.count, on: loader.device), at: first)
            first = rows.upperBound
        }
        return all
    }

    /// - Parameter rows: those outputs that are read; nil for all.
    private func read(_ rows: Range<Int>?) throws(TensorError) -> MatrixValues {
        let checkpoint = loader.checkpoint, scales = name + GroupedWeights.scalesSuffix
        if checkpoint.contains(scales) {
            // Quantized when it was written: outputs first, and no precision changes it.
            return .grouped(
                try GroupedWeights(
                    stored: try checkpoint.tensor(name, shape: nil, rows: rows),
                    scales: try checkpoint.tensor(scales, shape: nil, rows: rows), columns: rows?.count ?? outputs,
                    depth: inputs, name: name))
        }
        if checkpoint.isQuantized(name) {
            return try checkpoint.quantized(name, outputs: outputs, inputs: inputs, on: loader.device)
        }
        if let blocks = try blocks(rows) { return .blocks(blocks) }
        let tensor = try floats(rows)
        if let format = loader.precision.grouped(isVocabulary: isVocabulary) {
            let weights = try GroupedWeights(
                quantizing: tensor, transposed: isTransposed, to: format, on: loader.device)
            loader.recorder?.record(name, weights)
            return .grouped(weights)
        }
        return .plain(try converted(tensor), transposed: isTransposed)
    }

    /// A tensor of floats in the type that is asked for.
    private func converted(_ tensor: Tensor) throws(TensorError) -> Tensor {
        switch loader.precision {
        case .f32: try tensor.widened()
        case .bf16: tensor.dtype == .bf16 ? tensor : try tensor.widened().narrowedToBF16()
        case .f16: tensor.dtype == .f16 ? tensor : try tensor.widened().narrowedToF16()
        case .auto, .int8, .int4: tensor
        }
    }

    /// What the file has in blocks, which are never rounded again; nil for floats.
    private func blocks(_ rows: Range<Int>?) throws(TensorError) -> BlockMatrix? {
        guard let expert else {
            return try loader.checkpoint.blocks(
                name, shape: isTransposed ? [inputs, outputs] : [outputs, inputs], rows: rows)
        }
        if let matrix = try MXFP4Matrix(
            loader.checkpoint, name, expert: expert.index, of: expert.count, outputs: outputs, inputs: inputs)
        {
            return matrix.blocks
        }
        return try loader.checkpoint.blocks(
            name, shape: [expert.count, outputs, inputs], rows: expert.index..<expert.index + 1)
    }

    private func floats(_ rows: Range<Int>?) throws(TensorError) -> Tensor {
        let shape = isTransposed ? [inputs, outputs] : [outputs, inputs]
        guard let expert else { return try loader.checkpoint.tensor(name, shape: shape, rows: rows) }
        guard loader.recorder == nil else {
            throw TensorError(
                .mismatch,
                "\"\(name)\" holds all experts in one tensor, which is not written in whole numbers; serve the checkpoint "
                    + "itself with --precision")
        }
        return try loader.checkpoint.tensor(
            name, shape: [expert.count] + shape, rows: expert.index..<expert.index + 1
        ).reshaped(shape)
    }
}

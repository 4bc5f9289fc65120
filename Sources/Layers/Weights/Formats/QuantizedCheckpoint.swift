package import Tensors

/// A safetensors checkpoint whose matrices others quantized: which of them, its tensors say. The others are read as they are.
package struct QuantizedCheckpoint: WeightSource {
    let checkpoint: Checkpoint
    let format: QuantizedFormat

    package init(_ checkpoint: Checkpoint, _ format: QuantizedFormat) {
        (self.checkpoint, self.format) = (checkpoint, format)
    }

    package var layout: WeightLayout { checkpoint.layout }

    package func contains(_ name: String) -> Bool { checkpoint.contains(name) || isQuantized(name) }

    /// Of a quantized matrix nil: the shapes of its tensors are not its own.
    package func shape(of name: String) -> [Int]? { isQuantized(name) ? nil : checkpoint.shape(of: name) }

    package func tensor(_ name: String, shape: [Int]?, rows: Range<Int>?) throws(TensorError) -> Tensor {
        try checkpoint.tensor(name, shape: shape, rows: rows)
    }

    package func blocks(_ name: String, shape: [Int], rows: Range<Int>?) -> BlockMatrix? { nil }

    package func isQuantized(_ name: String) -> Bool {
        guard name.hasSuffix(Self.suffix) else { return false }
        let stem = name.dropLast(Self.suffix.count)
        switch format {
        case .gptq, .awq: return checkpoint.contains(stem + ".qweight")
        case .fp8: return checkpoint.dtype(of: name) == .f8e4m3
        case .compressedTensors:
            return checkpoint.contains(stem + ".weight_packed")
                || [.f8e4m3, .i8].contains(checkpoint.dtype(of: name))
        case .bitsAndBytes:
            return checkpoint.contains(name + ".absmax") || checkpoint.dtype(of: name) == .i8
                || checkpoint.dtype(of: name) == .u8
        }
    }

    package func quantized(
        _ name: String, outputs: Int, inputs: Int, on device: Device
    ) throws(TensorError) -> MatrixValues {
        let matrix = QuantizedTensors(
            checkpoint: checkpoint, name: name, stem: String(name.dropLast(Self.suffix.count)), outputs: outputs,
            inputs: inputs, device: device)
        switch format {
        case .gptq(let bits, let groupSizes, let zerosAreOneLess):
            return try GPTQ.read(matrix, bits: bits, groupSizes: groupSizes, zerosAreOneLess: zerosAreOneLess)
        case .awq(let groupSizes): return try AWQ.read(matrix, groupSizes: groupSizes)
        case .fp8(let blocks): return try FP8.read(matrix, blocks: blocks, groupSizes: [])
        case .compressedTensors(let groupSizes, let blocks):
            return try CompressedTensors.read(matrix, groupSizes: groupSizes, blocks: blocks)
        case .bitsAndBytes: return try BitsAndBytes.read(matrix)
        }
    }

    private static let suffix = ".weight"
}

/// The tensors of one quantized matrix `[outputs, inputs]`.
struct QuantizedTensors {
    let checkpoint: Checkpoint
    /// Of the matrix: `STEM.weight`.
    let name: String
    let stem: String
    let outputs: Int
    let inputs: Int
    let device: Device

    func contains(_ suffix: String) -> Bool { checkpoint.contains(stem + suffix) }

    /// - Parameter dtypes: what it may be of.
    /// - Throws: `TensorError` that names the tensor, also for another type than those.
    func tensor(_ suffix: String, shape: [Int]? = nil, _ dtypes: [DType]) throws(TensorError) -> Tensor {
        let tensor = try checkpoint.tensor(stem + suffix, shape: shape)
        guard dtypes.contains(tensor.dtype) else {
            throw error(
                suffix, "is \(tensor.dtype.rawValue); it must be \(dtypes.map(\.rawValue).joined(separator: " or "))")
        }
        return tensor
    }

    /// Scales of any shape, in f32.
    ///
    /// - Throws: `TensorError` that names the tensor, where one of them is no number, or below 0 and may not be.
    func scales(
        _ suffix: String, shape: [Int]? = nil, canBeNegative: Bool = false
    ) throws(TensorError) -> (values: [Float], shape: [Int]) {
        let tensor = try tensor(suffix, shape: shape, [.f32, .f16, .bf16])
        let values = try tensor.widened().floats
        if let place = values.firstIndex(where: { !$0.isFinite || ($0 < 0 && !canBeNegative) }) {
            throw error(suffix, "holds \(values[place]) at place \(place), which is no scale; the file is damaged")
        }
        return (values, tensor.shape)
    }

    func error(_ suffix: String, _ problem: String, _ code: TensorError.Code = .mismatch) -> TensorError {
        TensorError(code, "tensor \"\(stem)\(suffix)\" of the checkpoint in \(checkpoint.directory) \(problem)")
    }

    /// Inputs of a group where there are `count` groups; nil where none of the sizes and no even division fits.
    func groupSize(_ count: Int, among sizes: [Int]) -> Int? {
        let fitting = sizes.map { $0 == 0 ? inputs : $0 }.first { $0 > 0 && (inputs + $0 - 1) / $0 == count }
        return fitting ?? (count > 0 && inputs % count == 0 ? inputs / count : nil)
    }
}

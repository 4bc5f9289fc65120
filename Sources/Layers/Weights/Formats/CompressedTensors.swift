import Tensors

/// A matrix as compressed-tensors writes it (llm-compressor, vLLM).
///
/// | tensor                   | shape                   |                                                          |
/// |--------------------------|-------------------------|----------------------------------------------------------|
/// | `STEM.weight_packed`     | `[N, ⌈K · bits / 32⌉]`   | I32: each row is one string of bits, half the range above its value |
/// | `STEM.weight_shape`      | `[2]`                   | N and K                                                  |
/// | `STEM.weight`            | `[N, K]`                | in its place: I8, or F8_E4M3                              |
/// | `STEM.weight_scale`      | `[1]`, `[N, 1]`, `[N, G]` | or one a block                                          |
/// | `STEM.weight_zero_point` | as the scales           | I8; of packed ones `[⌈N · bits / 32⌉, G]` in such strings, down each column |
/// | `STEM.weight_g_idx`      | `[K]`                   | I32: the group of each input; may be left out              |
enum CompressedTensors {
    static func read(
        _ tensors: QuantizedTensors, groupSizes: [Int], blocks: [[Int]]
    ) throws(TensorError) -> MatrixValues {
        if tensors.contains(".weight_packed") { return try packed(tensors, groupSizes: groupSizes) }
        if tensors.checkpoint.dtype(of: tensors.name) == .f8e4m3 {
            return try FP8.read(tensors, blocks: blocks, groupSizes: groupSizes)
        }
        return try bytes(tensors, groupSizes: groupSizes)
    }

    private static func packed(_ tensors: QuantizedTensors, groupSizes: [Int]) throws(TensorError) -> MatrixValues {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        let words = try tensors.tensor(".weight_packed", [.i32])
        let shape = try tensors.tensor(".weight_shape", shape: [2], [.i32, .i64]).wholeNumbers
        guard shape == [outputs, inputs] else {
            throw tensors.error(".weight_shape", "says \(shape), the configuration needs [\(outputs), \(inputs)]")
        }
        // Of 2, 3, 4 and 8 bits no two take as many words, unless there are very few inputs.
        let fitting = [4, 8, 2, 3].first { words.shape == [outputs, (inputs * $0 + 31) / 32] }
        guard let bits = fitting else {
            throw tensors.error(
                ".weight_packed", "has shape \(words.shape), which is not [\(outputs), \(inputs)] in 2, 3, 4 or 8 bits")
        }
        let (scales, groups, groupSize) = try scales(tensors, groupSizes)
        let middle = Int16(1 << (bits - 1))
        var zeros = Array(repeating: middle, count: outputs * groups)
        if tensors.contains(".weight_zero_point") {
            let rows = (outputs * bits + 31) / 32
            let packed = try tensors.tensor(".weight_zero_point", shape: [rows, groups], [.i32]).int32s
            for group in 0..<groups {
                let column = (0..<rows).map { UInt32(bitPattern: packed[$0 * groups + group]) }
                for n in 0..<outputs {
                    zeros[n * groups + group] = Int16(BitString.element(n, of: column, bits: bits))
                }
            }
        }
        return try ZeroPointMatrix(
            tensors: tensors,
            codes: PackedCodes(words, layout: .alongInputs, bits: bits, columns: outputs, depth: inputs), bits: bits,
            groupSize: groupSize, scales: scales, zeros: zeros,
            order: try InputGroups.order(tensors, ".weight_g_idx", groups: groups, groupSize: groupSize)
        ).values()
    }

    private static func bytes(_ tensors: QuantizedTensors, groupSizes: [Int]) throws(TensorError) -> MatrixValues {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        let weight = try tensors.tensor(".weight", shape: [outputs, inputs], [.i8])
        let (scales, groups, groupSize) = try scales(tensors, groupSizes)
        var zeros = Array(repeating: Int16(128), count: outputs * groups)
        if tensors.contains(".weight_zero_point") {
            let own = try tensors.tensor(".weight_zero_point", [.i8]).bytes
            guard own.count == zeros.count || own.count == 1 else {
                throw tensors.error(".weight_zero_point", "has \(own.count) elements for \(zeros.count) scales")
            }
            for i in zeros.indices { zeros[i] += Int16(Int8(bitPattern: own[own.count == 1 ? 0 : i])) }
        }
        return try ZeroPointMatrix(
            tensors: tensors,
            codes: PackedCodes(
                try weight.flippingSigns(), layout: .bytes, bits: 8, columns: outputs, depth: inputs),
            bits: 8, groupSize: groupSize, scales: scales, zeros: zeros,
            order: try InputGroups.order(tensors, ".weight_g_idx", groups: groups, groupSize: groupSize)
        ).values()
    }

    /// The scales `[N, G]`, how many groups there are, and their inputs.
    private static func scales(
        _ tensors: QuantizedTensors, _ groupSizes: [Int]
    ) throws(TensorError) -> ([Float], groups: Int, groupSize: Int) {
        let (values, shape) = try tensors.scales(".weight_scale", canBeNegative: true)
        if values.count == 1 {
            return (Array(repeating: values[0], count: tensors.outputs), 1, tensors.inputs)
        }
        if shape == [tensors.outputs] { return (values, 1, tensors.inputs) }
        guard shape.count == 2, shape[0] == tensors.outputs,
            let groupSize = tensors.groupSize(shape[1], among: groupSizes)
        else {
            throw tensors.error(
                ".weight_scale", "has shape \(shape), which are no groups of [\(tensors.outputs), \(tensors.inputs)]")
        }
        return (values, shape[1], groupSize)
    }
}

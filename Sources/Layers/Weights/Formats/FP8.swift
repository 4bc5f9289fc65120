import Tensors

/// A matrix in E4M3 (OCP 8-bit floating point), as DeepSeek, Meta, Qwen, Mistral and compressed-tensors write it.
///
/// | tensor                                    | shape              |                                              |
/// |-------------------------------------------|--------------------|----------------------------------------------|
/// | `STEM.weight`                             | `[N, K]`           | F8_E4M3                                      |
/// | `STEM.weight_scale_inv`, `STEM.weight_scale` | none, `[1]`     | one scale, which multiplies                   |
/// |                                           | `[N]`, `[N, 1]`    | one an output                                 |
/// |                                           | `[⌈N/b⌉, ⌈K/c⌉]`   | one a block of b outputs by c inputs           |
///
/// What the files say of activations in 8 bits (`input_scale`) is not imitated: rows stay in f32.
enum FP8 {
    /// Inputs that share a scale in a panel, unless the file's blocks are no multiple of it.
    private static let panelGroup = 128
    /// Codes of NaN.
    private static let notANumber: [UInt8] = [0x7F, 0xFF]

    /// - Parameter blocks: `[outputs, inputs]`, as the configuration names them.
    static func read(
        _ tensors: QuantizedTensors, blocks: [[Int]], groupSizes: [Int]
    ) throws(TensorError) -> MatrixValues {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        let codes = try tensors.tensor(".weight", shape: [outputs, inputs], [.f8e4m3])
        if notANumber.contains(where: { codes.contains(byte: $0) }) {
            throw tensors.error(".weight", "holds NaN; the file is damaged")
        }
        let suffix = [".weight_scale_inv", ".weight_scale"].first { tensors.contains($0) }
        guard let suffix else {
            throw tensors.error(
                ".weight", "is F8_E4M3 and has no \".weight_scale_inv\" and no \".weight_scale\"", .missing)
        }
        let (scales, shape) = try tensors.scales(suffix)
        guard let block = block(of: shape, tensors, blocks: blocks, groupSizes: groupSizes) else {
            throw tensors.error(
                suffix,
                "has shape \(shape), which does not divide [\(outputs), \(inputs)]"
                    + (blocks.isEmpty ? "" : " into blocks of \(blocks.map { "\($0)" }.joined(separator: " or "))"))
        }
        // A panel holds 256 times the scale.
        if let large = scales.first(where: { $0 > .greatestFiniteMagnitude / 256 }) {
            throw tensors.error(suffix, "holds \(large), which is beyond what is supported")
        }
        let group = block[1] >= inputs || block[1] % panelGroup == 0 ? panelGroup : block[1]
        let format = CodedFormat(.e4m3, group: group)
        let across = (inputs + block[1] - 1) / block[1], count = format.groups(inputs)
        let spread = (0..<outputs).flatMap { n in
            (0..<count).map { scales[n / block[0] * across + $0 * group / block[1]] }
        }
        return .coded(CodedWeights(format, codes: codes, scales: try Tensor(spread, shape: [outputs, count])))
    }

    /// Outputs and inputs that share a scale.
    private static func block(
        of shape: [Int], _ tensors: QuantizedTensors, blocks: [[Int]], groupSizes: [Int]
    ) -> [Int]? {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        if shape.reduce(1, *) == 1 { return [max(1, outputs), max(1, inputs)] }
        if shape == [outputs] || shape == [outputs, 1] { return [1, max(1, inputs)] }
        guard shape.count == 2 else { return nil }
        let fitting = blocks.first {
            shape == [(outputs + $0[0] - 1) / $0[0], (inputs + $0[1] - 1) / $0[1]]
        }
        if let fitting { return fitting }
        guard shape[0] == outputs, let size = tensors.groupSize(shape[1], among: groupSizes) else { return nil }
        return [1, size]
    }
}

import Tensors

/// An expert's matrix in MXFP4 (OCP Microscaling Formats 1.0) as gpt-oss is published: 32 inputs of an output share an
/// exponent and have four bits each.
///
/// | tensor        | shape               |                                                     |
/// |---------------|---------------------|-----------------------------------------------------|
/// | `NAME_blocks` | `[E, N, K/32, 16]`  | u8: input 2j in the low half of byte j, 2j + 1 in the high one |
/// | `NAME_scales` | `[E, N, K/32]`      | u8: the exponent, plus 127                          |
struct MXFP4Matrix {
    static let blocksSuffix = "_blocks"
    private static let scalesSuffix = "_scales"
    /// Inputs of a block, and its bytes without and with the exponent.
    private static let (inputs, bytes, ggmlBytes) = (32, 16, 17)

    /// The same in ggml's blocks: the exponent, then input j beside input j + 16.
    let blocks: BlockMatrix

    /// - Returns: nil where the checkpoint has no blocks of that name.
    /// - Throws: `TensorError` that names the tensor.
    init?(
        _ checkpoint: any WeightSource, _ name: String, expert: Int, of experts: Int, outputs: Int, inputs: Int
    ) throws(TensorError) {
        guard checkpoint.contains(name + Self.blocksSuffix) else { return nil }
        let count = inputs / Self.inputs
        guard inputs % Self.inputs == 0 else {
            throw TensorError(.mismatch, "\"\(name)\" has \(inputs) inputs; blocks of MXFP4 hold \(Self.inputs) each")
        }
        let rows = expert..<expert + 1
        let packed = try checkpoint.tensor(
            name + Self.blocksSuffix, shape: [experts, outputs, count, Self.bytes], rows: rows)
        let scales = try checkpoint.tensor(name + Self.scalesSuffix, shape: [experts, outputs, count], rows: rows)
        guard packed.dtype == .u8, scales.dtype == .u8 else {
            throw TensorError(
                .mismatch,
                "\"\(name)\" has blocks in \(packed.dtype.rawValue) and scales in \(scales.dtype.rawValue); both are U8"
            )
        }
        let (source, exponents) = (packed.bytes, scales.bytes)
        var target: [UInt8] = []
        target.reserveCapacity(outputs * count * Self.ggmlBytes)
        for block in 0..<outputs * count {
            target.append(exponents[block])
            let halves = source[block * Self.bytes..<(block + 1) * Self.bytes].flatMap { [$0 & 15, $0 >> 4] }
            for j in 0..<Self.bytes { target.append(halves[j] | halves[j + Self.bytes] << 4) }
        }
        blocks = BlockMatrix(
            format: .mxfp4, depth: inputs, rows: try Tensor(u8: target, shape: [outputs, count * Self.ggmlBytes]))
    }
}

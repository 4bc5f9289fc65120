/// How others quantized a safetensors checkpoint: what its `quantization_config` says that its tensors do not.
package enum QuantizedFormat: Sendable {
    /// - bits: of every matrix; nil where they differ.
    /// - groupSizes: inputs that share a scale, the likeliest first; 0 for all of an output's.
    /// - zerosAreOneLess: whether zero points are stored one below their value, as AutoGPTQ wrote them.
    case gptq(bits: Int?, groupSizes: [Int], zerosAreOneLess: Bool)
    /// Four bits in the packing order that AutoAWQ calls GEMM.
    case awq(groupSizes: [Int])
    /// E4M3 with scales in f32: one, one an output, or one a block `[outputs, inputs]`.
    case fp8(blocks: [[Int]])
    /// What compressed-tensors writes in whole numbers or in E4M3.
    case compressedTensors(groupSizes: [Int], blocks: [[Int]])
    /// Tables of four bits, or eight bits with a scale an output.
    case bitsAndBytes
}

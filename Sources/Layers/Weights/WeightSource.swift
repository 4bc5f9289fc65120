package import Tensors

/// Where a loader finds tensors, by the names that Hugging Face's checkpoints give them.
package protocol WeightSource: Sendable {
    var layout: WeightLayout { get }

    func contains(_ name: String) -> Bool

    /// A tensor's shape without reading it.
    func shape(of name: String) -> [Int]?

    /// - Parameters:
    ///   - shape: what the whole tensor's must be.
    ///   - rows: those of the outermost dimension that are read; nil for all.
    /// - Throws: `TensorError` that names the file and the tensor.
    func tensor(_ name: String, shape: [Int]?, rows: Range<Int>?) throws(TensorError) -> Tensor

    /// A matrix that the file holds in blocks; nil for one of floats.
    ///
    /// - Throws: `TensorError` that names the file and the tensor.
    func blocks(_ name: String, shape: [Int], rows: Range<Int>?) throws(TensorError) -> BlockMatrix?

    /// Whether a safetensors checkpoint holds the matrix quantized by others.
    func isQuantized(_ name: String) -> Bool

    /// Such a matrix, `[outputs, inputs]`, not rounded again.
    ///
    /// - Throws: `TensorError` that names the checkpoint and the tensor.
    func quantized(
        _ name: String, outputs: Int, inputs: Int, on device: Device
    ) throws(TensorError) -> MatrixValues
}

extension WeightSource {
    package func isQuantized(_ name: String) -> Bool { false }

    package func quantized(
        _ name: String, outputs: Int, inputs: Int, on device: Device
    ) throws(TensorError) -> MatrixValues {
        throw TensorError(.missing, "\"\(name)\" is not quantized")
    }
}

/// What two kinds of files write differently.
package enum WeightLayout: Sendable {
    /// Some architectures' matrices are `[inputs, outputs]` (GPT-2), or a norm's weight less one (Gemma 2).
    case huggingFace
    /// Every matrix is `[outputs, inputs]`, every norm's weight whole.
    case gguf
}

extension Checkpoint: WeightSource {
    package var layout: WeightLayout { .huggingFace }

    package func blocks(_ name: String, shape: [Int], rows: Range<Int>?) -> BlockMatrix? { nil }
}

package import Tensors

// Symbols used in this module:
//   R rows (tokens of all texts together)   K inputs   N outputs   r rank   V vocabulary
//   H query heads   G key-value heads   D head width   T rows of one text

/// Computes a model forward and remembers how to go back: each operation leaves a step that turns the gradient of its
/// result into those of its inputs.
package final class Tape {
    package let device: Device
    /// Whether there is a way back.
    package let records: Bool
    private let memory: TapeMemory
    private var steps: [Step] = []

    private struct Step {
        let result: Variable
        let back: (Tensor) throws(TensorError) -> Void
    }

    /// - Parameter memory: for values that the way back needs; nil where there is none.
    package init(on device: Device, memory: TapeMemory?) {
        (self.device, records) = (device, memory != nil)
        self.memory = memory ?? TapeMemory()
    }

    /// Rows that hold anything, and stay until the way back.
    func keep(_ rows: Int, width: Int) throws(TensorError) -> Tensor {
        records ? try memory.rows(rows, width: width) : try device.makeRows(rows, width: width)
    }

    /// Remembers the way back from `result`.
    ///
    /// - Parameter back: is given the gradient of `result`, which belongs to it.
    func step(_ result: Variable, _ back: @escaping (Tensor) throws(TensorError) -> Void) {
        guard records, result.needsGradient else { return }
        steps.append(Step(result: result, back: back))
    }

    /// Goes back from what has been given a gradient, and adds to those of all parameters on the way.
    ///
    /// - Throws: `TensorError.tooLarge` when memory cannot be had; gradients mean nothing then.
    package func backward() throws(TensorError) {
        while let step = steps.popLast() {
            if let gradient = step.result.takeGradient() { try step.back(gradient) }
            step.result.forget()
        }
    }
}

/// Memory for what a tape keeps, used again by the next one.
package final class TapeMemory {
    private var blocks: [Storage] = []
    /// The block that is being filled, and how many bytes of it are.
    private var current = 0
    private var used = 0

    private static let blockBytes = 32 << 20

    package init() {}

    /// Bytes of all blocks.
    package var byteCount: Int { blocks.reduce(0) { $0 + $1.byteCount } }

    /// Begins anew. Nothing that came from here may be in use.
    package func reset() { (current, used) = (0, 0) }

    /// An f32 tensor `[rows, width]` that holds anything.
    func rows(_ rows: Int, width: Int) throws(TensorError) -> Tensor {
        let byteCount = (rows * width * DType.f32.size + 63) / 64 * 64
        while current < blocks.count, used + byteCount > blocks[current].byteCount {
            (current, used) = (current + 1, 0)
        }
        if current == blocks.count {
            blocks.append(try Storage(byteCount: max(byteCount, Self.blockBytes), zeroed: false))
        }
        defer { used += byteCount }
        return Tensor(dtype: .f32, shape: [rows, width], storage: blocks[current], byteOffset: used)
    }
}

internal import Synchronization

/// Memory for the rows that a pass makes: rows that were released are given out again, so that passes of the same
/// extents allocate nothing.
package final class Workspace: Sendable {
    private struct Block {
        /// The block's memory; held by nobody else while the block is free.
        var storage: Storage
        /// What it was given out as.
        var shape: [Int]

        mutating func isFree() -> Bool { isKnownUniquelyReferenced(&storage) }

        func holds(_ rows: Int, _ width: Int) -> Bool { shape[0] == rows && shape[1] == width }

        /// Whether so many bytes have room and waste no more than they use.
        func suits(_ byteCount: Int) -> Bool {
            byteCount <= storage.byteCount && storage.byteCount <= max(2 * byteCount, 4096)
        }
    }

    private struct State {
        var blocks: [Block] = []
        var byteCount = 0
        var allocations = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Bytes of all blocks together, at most; free blocks are dropped beyond it, the oldest first.
    private static let limit = 64 << 20
    /// Blocks, at most: they are searched one by one.
    private static let blockLimit = 64

    /// Bytes of all blocks, held or not.
    package var byteCount: Int { state.withLock { $0.byteCount } }
    /// How often memory was allocated, since no free block would do.
    package var allocationCount: Int { state.withLock { $0.allocations } }

    /// An f32 tensor `[rows, width]` that holds anything.
    ///
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func tensor(rows: Int, width: Int) throws(TensorError) -> Tensor {
        let byteCount = rows * width * DType.f32.size
        let found = state.withLock { state -> Tensor? in
            var fitting: Int?
            for index in state.blocks.indices {
                let isSame = state.blocks[index].holds(rows, width)
                guard isSame || state.blocks[index].suits(byteCount), state.blocks[index].isFree() else { continue }
                fitting = index
                if isSame { break }
            }
            guard let fitting else { return nil }
            if !state.blocks[fitting].holds(rows, width) { state.blocks[fitting].shape = [rows, width] }
            return Tensor(
                dtype: .f32, shape: state.blocks[fitting].shape, storage: state.blocks[fitting].storage)
        }
        if let found { return found }
        let tensor = try Tensor(uninitialized: [rows, width])
        state.withLock { state in
            state.allocations += 1
            Self.makeRoom(for: byteCount, in: &state)
            guard state.byteCount + byteCount <= Self.limit, state.blocks.count < Self.blockLimit else { return }
            state.blocks.append(Block(storage: tensor.storage, shape: tensor.shape))
            state.byteCount += tensor.storage.byteCount
        }
        return tensor
    }

    private static func makeRoom(for byteCount: Int, in state: inout State) {
        var index = 0
        while index < state.blocks.count,
            state.byteCount + byteCount > limit || state.blocks.count >= blockLimit
        {
            if state.blocks[index].isFree() {
                state.byteCount -= state.blocks.remove(at: index).storage.byteCount
            } else {
                index += 1
            }
        }
    }
}

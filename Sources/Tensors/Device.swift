internal import CKernels
import Concurrency
internal import Synchronization

/// Where operations run: an instruction set and the threads that divide the work. Models call its operations and
/// never a kernel, so that another device can stand behind them.
package final class Device: Sendable {
    /// An instruction set; every one gives the same bits.
    package enum InstructionSet: String, Sendable, CaseIterable {
        case scalar, neon, avx2, avx512
        case avx512VNNI = "avx512-vnni"

        var isa: nephele_isa {
            switch self {
            case .scalar: NEPHELE_ISA_SCALAR
            case .avx2: NEPHELE_ISA_AVX2
            case .avx512: NEPHELE_ISA_AVX512
            case .avx512VNNI: NEPHELE_ISA_AVX512_VNNI
            case .neon: NEPHELE_ISA_NEON
            }
        }

        /// The best that this processor has.
        package static var detected: InstructionSet {
            switch nephele_isa_detect() {
            case NEPHELE_ISA_AVX512_VNNI: .avx512VNNI
            case NEPHELE_ISA_AVX512: .avx512
            case NEPHELE_ISA_AVX2: .avx2
            case NEPHELE_ISA_NEON: .neon
            default: .scalar
            }
        }

        /// The instruction sets that this processor can run.
        package static var available: [InstructionSet] {
            switch detected {
            case .avx512VNNI: [.scalar, .avx2, .avx512, .avx512VNNI]
            case .avx512: [.scalar, .avx2, .avx512]
            case .avx2: [.scalar, .avx2]
            case .neon: [.scalar, .neon]
            case .scalar: [.scalar]
            }
        }
    }

    package let instructionSet: InstructionSet
    private let pool: WorkerPool
    private struct Scratch: Sendable {
        var storage: Storage?
        var arguments = MatrixArguments()
    }

    /// By the thread that calls operations.
    private let interruptions = Mutex<[UInt: WorkerPool.Interruption]>([:])
    private let scratch = Mutex(Scratch())
    /// Memory for what operations make on their way; its counts are there to be watched.
    package let workspace = Workspace()

    /// - Parameter threadCount: at least 1.
    package init(threadCount: Int, instructionSet: InstructionSet = .detected) {
        self.instructionSet = instructionSet
        pool = WorkerPool(threadCount: threadCount)
    }

    package var threadCount: Int { pool.threadCount }

    /// An f32 tensor `[rows, width]` that holds anything, for an operation to fill. Its memory serves again when it is
    /// released.
    ///
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func makeRows(_ rows: Int, width: Int) throws(TensorError) -> Tensor {
        try workspace.tensor(rows: rows, width: width)
    }

    /// The chosen rows of an f32 tensor, in that order: `[indices.count, width]`.
    package func select(_ indices: [Int], from x: Tensor) throws(TensorError) -> Tensor {
        let selected = try makeRows(indices.count, width: x.width)
        selected.copyRows(indices, from: x)
        return selected
    }

    /// Runs a kernel over [0, count) on the pool.
    func run<Args>(
        _ kernel: @escaping @convention(c) (UnsafeRawPointer?, Int, Int) -> Void, _ args: Args, count: Int,
        grain: Int = 1
    ) {
        let isInterrupted = interruption
        withUnsafePointer(to: args) {
            pool.run(kernel, context: $0, count: count, grain: grain, unless: isInterrupted)
        }
    }

    private var interruption: WorkerPool.Interruption? {
        interruptions.withLock { $0.isEmpty ? nil : $0[CurrentThread.id] }
    }

    /// Runs `body` so that operations of this thread end early, with results that mean nothing, once `isInterrupted` says
    /// so. `body` looks at ``isInterrupted`` between them.
    ///
    /// - Parameter isInterrupted: asked on every thread that computes, every few milliseconds.
    package func interruptible<Result, Failure: Error>(
        _ isInterrupted: @escaping @Sendable () -> Bool, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let thread = CurrentThread.id
        interruptions.withLock { $0[thread] = isInterrupted }
        defer { interruptions.withLock { _ = $0.removeValue(forKey: thread) } }
        return try body()
    }

    /// Whether what this thread runs is not wanted any more.
    package var isInterrupted: Bool { interruption?() ?? false }

    /// Changes elements of an array on the threads that compute, each by a call of its own.
    ///
    /// `body` runs none of the device's operations that divide their work: it would wait for itself.
    ///
    /// - Parameter indices: the elements to be changed, each once.
    /// - Returns: what `body` gave for each of `indices`; it is told the place in `indices`.
    package func update<Element: Sendable, Result: Sendable>(
        _ elements: inout [Element], at indices: [Int], _ body: @escaping @Sendable (inout Element, Int) -> Result
    ) -> [Result] {
        precondition(Set(indices).count == indices.count, "elements \(indices) are not each named once")
        precondition(indices.allSatisfy(elements.indices.contains), "elements \(indices) of \(elements.count)")
        return elements.withUnsafeMutableBufferPointer { elements in
            Array(unsafeUninitializedCapacity: indices.count) { results, count in
                guard let elements = elements.baseAddress, let results = results.baseAddress else { return }
                let places = Places(elements: elements, results: results)
                divide(indices.count) { number in
                    (places.results + number).initialize(to: body(&places.elements[indices[number]], number))
                }
                count = indices.count
            }
        }
    }

    /// Memory whose every element is touched by one thread only.
    private struct Places<Element, Result>: @unchecked Sendable {
        let elements: UnsafeMutablePointer<Element>
        let results: UnsafeMutablePointer<Result>
    }

    /// Calls `body` for each number below `count`, on the pool.
    private func divide(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        withUnsafePointer(to: body) { body in
            pool.run(
                { context, begin, end in
                    guard let body = context?.assumingMemoryBound(to: (@Sendable (Int) -> Void).self) else { return }
                    for index in begin..<end { body.pointee(index) }
                }, context: body, count: count)
        }
    }

    /// Memory that an operation needs while it runs: kept for the next one, and never the same for two at a time.
    ///
    /// - Throws: `TensorError.tooLarge` when it cannot be had.
    func withScratch(
        byteCount: Int, _ body: (UnsafeMutableRawPointer, inout MatrixArguments) -> Void
    ) throws(TensorError) {
        try scratch.withLock { scratch throws(TensorError) in
            let memory: Storage
            if let storage = scratch.storage, storage.byteCount >= byteCount {
                memory = storage
            } else {
                scratch.storage = nil
                memory = try Storage(byteCount: byteCount)
                scratch.storage = memory
            }
            withExtendedLifetime(memory) { body(memory.bytes, &scratch.arguments) }
        }
    }
}

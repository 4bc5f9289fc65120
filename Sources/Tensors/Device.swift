internal import CKernels
import Concurrency
internal import Synchronization

/// Where operations run: an instruction set and the threads that divide the work. Models call its operations and
/// never a kernel, so that another device can stand behind them.
package final class Device: Sendable {
    /// An instruction set; every one gives the same bits.
    package enum InstructionSet: Sendable, CaseIterable {
        case scalar, neon, avx2, avx512, avx512VNNI

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

        /// Those that this processor can run.
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
    private let scratch = Mutex<Storage?>(nil)

    /// - Parameter threadCount: at least 1.
    package init(threadCount: Int, instructionSet: InstructionSet = .detected) {
        self.instructionSet = instructionSet
        pool = WorkerPool(threadCount: threadCount)
    }

    package var threadCount: Int { pool.threadCount }

    /// Runs a kernel over [0, count) on the pool.
    func run<Args>(
        _ kernel: @escaping @convention(c) (UnsafeRawPointer?, Int, Int) -> Void, _ args: Args, count: Int,
        grain: Int = 1
    ) {
        withUnsafePointer(to: args) { pool.run(kernel, context: $0, count: count, grain: grain) }
    }

    /// Memory that an operation needs while it runs: kept for the next one, and never the same for two at a time.
    ///
    /// - Throws: `TensorError.tooLarge` when it cannot be had.
    func withScratch(byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Void) throws(TensorError) {
        try scratch.withLock { storage throws(TensorError) in
            let memory: Storage
            if let storage, storage.byteCount >= byteCount {
                memory = storage
            } else {
                storage = nil
                memory = try Storage(byteCount: byteCount)
                storage = memory
            }
            withExtendedLifetime(memory) { body(memory.bytes) }
        }
    }
}

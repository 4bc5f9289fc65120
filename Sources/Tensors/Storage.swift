import Glibc

/// Memory that a tensor views: 64-byte aligned, zeroed, freed with the last view.
package final class Storage: @unchecked Sendable {  // owned memory; views are written by one task at a time
    package let bytes: UnsafeMutableRawPointer
    package let byteCount: Int
    /// Bytes of a mapping of its own; 0 for memory of the heap.
    private let mapped: Int

    /// From here on a storage is mapped: the kernel's pages are zero already and come only when they are touched.
    private static let mappedFrom = 1 << 20
    private static let largePage = 2 << 20

    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package init(byteCount: Int) throws(TensorError) {
        precondition(byteCount >= 0, "storage of \(byteCount) bytes")
        self.byteCount = byteCount
        if byteCount >= Self.mappedFrom {
            mapped = (byteCount + Self.largePage - 1) / Self.largePage * Self.largePage
            guard let memory = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                memory != MAP_FAILED
            else { throw TensorError(.tooLarge, "no memory for a tensor of \(byteCount) bytes") }
            // Weights are read from end to end: with pages of 2 MiB few addresses have to be looked up.
            madvise(memory, mapped, MADV_HUGEPAGE)
            bytes = memory
        } else {
            mapped = 0
            var memory: UnsafeMutableRawPointer?
            let padded = (max(byteCount, 1) + 63) / 64 * 64
            guard posix_memalign(&memory, 64, padded) == 0, let memory else {
                throw TensorError(.tooLarge, "no memory for a tensor of \(byteCount) bytes")
            }
            memset(memory, 0, padded)
            bytes = memory
        }
    }

    deinit {
        if mapped > 0 { munmap(bytes, mapped) } else { free(bytes) }
    }
}

import Glibc

/// Memory that a tensor views: 64-byte aligned, zeroed, freed with the last view.
package final class Storage: @unchecked Sendable {  // owned memory; views are written by one task at a time
    package let bytes: UnsafeMutableRawPointer
    package let byteCount: Int

    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package init(byteCount: Int) throws(TensorError) {
        precondition(byteCount >= 0, "storage of \(byteCount) bytes")
        var memory: UnsafeMutableRawPointer?
        let padded = (max(byteCount, 1) + 63) / 64 * 64
        guard posix_memalign(&memory, 64, padded) == 0, let memory else {
            throw TensorError(.tooLarge, "no memory for a tensor of \(byteCount) bytes")
        }
        memset(memory, 0, padded)
        bytes = memory
        self.byteCount = byteCount
    }

    deinit { free(bytes) }
}

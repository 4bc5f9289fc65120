internal import CLinux

/// The process's heap.
package enum HeapMemory {
    /// Gives what was freed back to the system; the heap keeps it otherwise for what may come.
    package static func giveBack() { malloc_trim(0) }
}

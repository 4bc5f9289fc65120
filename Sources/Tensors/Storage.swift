import Glibc
internal import Synchronization

/// Memory that a tensor views: 64-byte aligned, freed with the last view.
package final class Storage: @unchecked Sendable {  // owned memory; views are written by one task at a time
    package let bytes: UnsafeMutableRawPointer
    package let byteCount: Int
    /// Bytes of a mapping of its own; 0 for memory of the heap.
    private let mapped: Int
    /// Whether the mapping is a file's: read only, shared with whoever maps it too.
    private let isOfFile: Atomic<Bool>

    /// From here on a storage is mapped: the kernel's pages are zero already and come only when they are touched.
    private static let mappedFrom = 1 << 20
    private static let largePage = 2 << 20
    private static let page = Int(getpagesize())

    /// - Parameter zeroed: otherwise it holds whatever was there before.
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package init(byteCount: Int, zeroed: Bool = true) throws(TensorError) {
        precondition(byteCount >= 0, "storage of \(byteCount) bytes")
        self.byteCount = byteCount
        isOfFile = Atomic(false)
        if byteCount >= Self.mappedFrom {
            // Memory for a pass comes in few sizes, so that the next pass finds it again; weights take what they need.
            let step = zeroed ? Self.page : Self.largePage
            mapped = (byteCount + step - 1) / step * step
            if !zeroed, let spare = Self.spares.take(mapped) {
                bytes = spare
                return
            }
            guard let memory = Self.map(mapped) else {
                throw TensorError(.tooLarge, "no memory for a tensor of \(byteCount) bytes")
            }
            bytes = memory
        } else {
            mapped = 0
            var memory: UnsafeMutableRawPointer?
            let padded = (max(byteCount, 1) + 63) / 64 * 64
            guard posix_memalign(&memory, 64, padded) == 0, let memory else {
                throw TensorError(.tooLarge, "no memory for a tensor of \(byteCount) bytes")
            }
            if zeroed { memset(memory, 0, padded) }
            bytes = memory
        }
    }

    /// Memory from the kernel that begins with a large page: weights are read from end to end, and with pages of 2 MiB
    /// few addresses have to be looked up.
    private static func map(_ size: Int) -> UnsafeMutableRawPointer? {
        let room = size + largePage
        guard let memory = mmap(nil, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { return nil }
        let before = (largePage - Int(bitPattern: memory) % largePage) % largePage, start = memory + before
        if before > 0 { munmap(memory, before) }
        munmap(start + size, room - before - size)
        madvise(start, size, MADV_HUGEPAGE)
        return start
    }

    deinit {
        if mapped == 0 {
            free(bytes)
        } else if isOfFile.load(ordering: .relaxed) {
            munmap(bytes, mapped)
        } else {
            Self.spares.keep(bytes, mapped)
        }
    }

    /// A part of a file, to be read only, that processes share.
    ///
    /// - Parameter offset: a multiple of the page size.
    /// - Throws: `TensorError.tooLarge` when it cannot be mapped.
    init(of file: ReadableFile, offset: Int, byteCount: Int) throws(TensorError) {
        self.byteCount = byteCount
        mapped = max(byteCount, 1)
        isOfFile = Atomic(true)
        let flags = MAP_SHARED | Int32(MAP_POPULATE)
        guard let memory = mmap(nil, mapped, PROT_READ, flags, file.descriptor, off_t(offset)), memory != MAP_FAILED
        else { throw TensorError(.tooLarge, "cannot map \(byteCount) bytes of \(file.path)") }
        bytes = memory
    }

    /// Puts a file's part, which holds the same bytes, in place of memory of this process's own. Who reads meanwhile
    /// sees the one or the other. Nothing may be written afterwards.
    func becomeShared(with file: ReadableFile, offset: Int) {
        guard mapped > 0, !isOfFile.load(ordering: .relaxed) else { return }
        let covered = (byteCount + Self.page - 1) / Self.page * Self.page
        let flags = MAP_SHARED | MAP_FIXED | Int32(MAP_POPULATE)
        guard mmap(bytes, covered, PROT_READ, flags, file.descriptor, off_t(offset)) != MAP_FAILED else { return }
        isOfFile.store(true, ordering: .relaxed)
    }

    private static let spares = Spares()

    /// Mappings that a pass over a model has given back, for the next pass: else it would fetch all its pages from the
    /// kernel again.
    private final class Spares: Sendable {
        private struct Block: @unchecked Sendable {  // owned by whoever holds it
            let bytes: UnsafeMutableRawPointer
            let size: Int
        }

        private let blocks = Mutex<[Block]>([])
        private static let limit = 32 << 20

        func take(_ size: Int) -> UnsafeMutableRawPointer? {
            blocks.withLock { blocks in
                blocks.firstIndex { $0.size == size }.map { blocks.remove(at: $0).bytes }
            }
        }

        /// The oldest make room.
        func keep(_ bytes: UnsafeMutableRawPointer, _ size: Int) {
            let block = Block(bytes: bytes, size: size)
            let old = blocks.withLock { blocks in
                blocks.append(block)
                var excess = blocks.reduce(0) { $0 + $1.size } - Self.limit
                let old = blocks.prefix { block in
                    defer { excess -= block.size }
                    return excess > 0
                }
                blocks.removeFirst(old.count)
                return Array(old)
            }
            for block in old { munmap(block.bytes, block.size) }
        }
    }
}

internal import Foundation
internal import Glibc
internal import Synchronization

/// The packed matrices of one checkpoint, which one process packs and the others of the machine map.
///
/// Of processes that start together one packs and writes; the others wait for it, but never longer than `patience`.
package final class PackedCache: Sendable {
    private let directory: CacheDirectory
    private let key: String
    private let file: PackedFile?
    /// What was packed here, in order; to be written.
    private let packed = Mutex<[(name: String, matrix: PackedMatrix)]>([])
    /// Held while this process packs; −1 for none.
    private let lock: Mutex<Int32>

    /// - Parameters:
    ///   - key: what the matrices were packed from and how, as a file name.
    ///   - patience: for a process that is packing the same.
    package init(_ directory: CacheDirectory, key: String, patience: Duration = .seconds(120), on device: Device) {
        (self.directory, self.key) = (directory, key)
        let name = key + "." + CacheDirectory.packedSuffix
        var ready = PackedFile(path: directory.file(name), key: key, on: device)
        var descriptor: Int32 = -1
        if ready == nil {
            try? directory.prepare()
            descriptor = Self.lock(directory.file(key + "." + CacheDirectory.lockSuffix), patience: patience)
            // Another may have written it meanwhile.
            ready = PackedFile(path: directory.file(name), key: key, on: device)
        }
        file = ready
        lock = Mutex(descriptor)
        if ready != nil {
            directory.touch(name)
            unlock()
        }
    }

    deinit { unlock() }

    private func unlock() {
        lock.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    /// - Returns: a descriptor that holds the lock, or −1.
    private static func lock(_ path: String, patience: Duration) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return -1 }
        let deadline = ContinuousClock.now + patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR, ContinuousClock.now < deadline else {
                close(descriptor)
                return -1
            }
            usleep(20_000)
        }
        return descriptor
    }

    /// The matrix of that name, from the file, or else as `pack` makes it.
    ///
    /// - Throws: what `pack` throws.
    package func matrix(
        _ name: String, columns: Int, depth: Int, pack: () throws(TensorError) -> PackedMatrix
    ) throws(TensorError) -> PackedMatrix {
        if let known = file?.matrices[name], known.columns == columns, known.depth == depth { return known }
        let matrix = try pack()
        packed.withLock { $0.append((name, matrix)) }
        return matrix
    }

    /// Whether everything came from the file.
    package var isWarm: Bool { file != nil && packed.withLock { $0.isEmpty } }

    /// Writes what was packed, if anything was, and puts the file in place of this process's own memory. Takes the time
    /// of a write to disk.
    ///
    /// - Returns: whether there is a whole file now.
    @discardableResult
    package func write() -> Bool {
        defer { unlock() }
        let matrices = packed.withLock { list in
            defer { list = [] }
            return list
        }
        guard file == nil, !matrices.isEmpty else { return file != nil }
        let name = key + "." + CacheDirectory.packedSuffix
        let partial = directory.file("\(key)-\(getpid()).\(CacheDirectory.partialSuffix)")
        let writer = PackedFileWriter(matrices, key: key)
        guard writer.byteCount <= directory.limit, (try? directory.prepare()) != nil else { return false }
        directory.makeRoom(for: writer.byteCount)
        guard writer.write(to: partial), rename(partial, directory.file(name)) == 0 else {
            unlink(partial)
            return false
        }
        guard let written = try? ReadableFile(path: directory.file(name)), written.size == writer.byteCount else {
            return false
        }
        for (entry, matrix) in zip(writer.header.matrices, matrices) {
            matrix.matrix.panels.storage.becomeShared(with: written, offset: entry.offset)
        }
        return true
    }
}

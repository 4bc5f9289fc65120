import Crypto
import Foundation

/// A directory that appears whole or not at all: files are written into `DIR.partial`, which takes its name at the end.
final class OutputDirectory {
    let path: String
    private let partial: String
    private let lock: FileHandle

    /// - Throws: `DataError.unwritable` where it cannot be made, is there and not empty, or another run writes to it.
    init(_ path: String) throws(DataError) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        (self.path, partial) = (path, path + ".partial")
        let files = FileManager.default
        if let present = try? files.contentsOfDirectory(atPath: path), !present.isEmpty {
            throw DataError(.unwritable, "\(path) is there and not empty; name another directory for --output")
        }
        guard !files.fileExists(atPath: path) || (try? files.contentsOfDirectory(atPath: path)) != nil else {
            throw DataError(.unwritable, "\(path) is there and is no directory")
        }
        do {
            try files.createDirectory(atPath: partial, withIntermediateDirectories: true)
            let file = partial + "/.lock"
            if !files.fileExists(atPath: file) { try Data().write(to: URL(fileURLWithPath: file)) }
            lock = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        } catch {
            throw DataError(.unwritable, "cannot write to \(partial): \(error.localizedDescription)")
        }
        // The kernel frees it when its holder dies.
        guard flock(lock.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw DataError(.unwritable, "another run writes to \(path); wait for it, or name another directory")
        }
        // What a run that was killed left.
        for name in (try? files.contentsOfDirectory(atPath: partial)) ?? [] where name != ".lock" {
            try? files.removeItem(atPath: partial + "/" + name)
        }
    }

    func file(_ name: String) throws(DataError) -> OutputFile { try OutputFile(name, in: partial) }

    /// Gives the directory its name.
    ///
    /// - Throws: `DataError.unwritable`.
    func commit() throws(DataError) {
        do {
            let files = FileManager.default
            try files.removeItem(atPath: partial + "/.lock")
            if files.fileExists(atPath: path) { try files.removeItem(atPath: path) }
            try files.moveItem(atPath: partial, toPath: path)
        } catch {
            throw DataError(
                .unwritable, "\(partial) is whole and could not become \(path): \(error.localizedDescription)")
        }
    }

    /// Takes back what was written.
    func discard() { try? FileManager.default.removeItem(atPath: partial) }

    deinit { try? lock.close() }
}

/// A file that is written from its beginning to its end.
final class OutputFile {
    let name: String
    private let path: String
    private let handle: FileHandle
    private var buffer: [UInt8] = []
    private var digest = SHA256()
    private(set) var bytes = 0

    private static let chunk = 1 << 20

    fileprivate init(_ name: String, in directory: String) throws(DataError) {
        (self.name, path) = (name, directory + "/" + name)
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw DataError(.unwritable, "cannot write \(path)") }
        self.handle = handle
    }

    func write(_ more: [UInt8]) throws(DataError) {
        buffer += more
        bytes += more.count
        if buffer.count >= Self.chunk { try flush() }
    }

    private func flush() throws(DataError) {
        digest.update(data: buffer)
        do { try handle.write(contentsOf: buffer) } catch {
            throw DataError(.unwritable, "cannot write \(path): \(error.localizedDescription)")
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Brings it to the disk.
    func close() throws(DataError) -> PreparationReport.File {
        try flush()
        do {
            try handle.synchronize()
            try handle.close()
        } catch { throw DataError(.unwritable, "cannot write \(path): \(error.localizedDescription)") }
        let sum = digest.finalize().map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
        return .init(name: name, bytes: bytes, sha256: sum)
    }
}

internal import Foundation
internal import Synchronization

/// A file that comes in ranges, in any order, and what of it has come: `DIGEST.nephele.incomplete`, with holes, and
/// beside it a journal of the ranges that are whole. A later process goes on from there.
///
/// It has names of its own: what `huggingface_hub` leaves of a broken download has no holes.
final class PartialFile: Sendable {
    let size: Int
    let rangeSize: Int
    private let path: String
    private let journal: String
    private let finished = Mutex<Set<Int>>([])

    /// - Parameter blob: where the file will be.
    /// - Throws: `HubError.disk`.
    init(blob: String, size: Int, rangeSize: Int) throws(HubError) {
        (self.size, self.rangeSize) = (size, rangeSize)
        (path, journal) = (blob + ".nephele.incomplete", blob + ".nephele.ranges")
        let known = Self.finished(journal, heading: heading)
        if let known, HubCache.size(at: path) == size {
            finished.withLock { $0 = known }
        } else {
            try begin()
        }
    }

    /// What the journal's numbers are for.
    private var heading: String { "\(size) \(rangeSize)" }

    var rangeCount: Int { (size + rangeSize - 1) / rangeSize }

    /// The ranges that are still to come, by number.
    var missing: [Int] {
        let finished = finished.withLock { $0 }
        return (0..<rangeCount).filter { !finished.contains($0) }
    }

    /// Bytes that are there.
    var presentBytes: Int { size - missing.reduce(0) { $0 + range($1).count } }

    func range(_ number: Int) -> Range<Int> { number * rangeSize..<min(size, (number + 1) * rangeSize) }

    /// A journal's ranges; nil where it is none of this file. A last line that was not written to its end counts nothing.
    private static func finished(_ journal: String, heading: String) -> Set<Int>? {
        guard let data = FileManager.default.contents(atPath: journal) else { return nil }
        var lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.popLast() != nil, lines.first.map({ $0 == heading }) ?? false else { return nil }
        return Set(lines.dropFirst().compactMap { Int($0) })
    }

    /// Makes both files, empty.
    private func begin() throws(HubError) {
        do {
            finished.withLock { $0 = [] }
            try Data().write(to: URL(fileURLWithPath: path))
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            try handle.truncate(atOffset: UInt64(size))
            try Data((heading + "\n").utf8).write(to: URL(fileURLWithPath: journal))
        } catch { throw unwritable(error) }
    }

    /// For one range's writer, which moves in it by itself.
    func writer(at offset: Int) throws(HubError) -> FileHandle {
        do {
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try handle.seek(toOffset: UInt64(offset))
            return handle
        } catch { throw unwritable(error) }
    }

    func unwritable(_ error: any Error) -> HubError {
        let free = HubCache(URL(fileURLWithPath: path).deletingLastPathComponent().path).freeBytes() ?? 0
        return HubError(
            .disk,
            "\(path) cannot be written (\(error.localizedDescription)); \(free >> 20) MiB are free there. What has come is "
                + "kept, and the same command goes on from it")
    }

    /// A range has come whole.
    func finish(_ number: Int) throws(HubError) {
        do {
            try finished.withLock { finished in
                finished.insert(number)
                let handle = try FileHandle(forUpdating: URL(fileURLWithPath: journal))
                defer { try? handle.close() }
                try handle.seekToEnd()
                try handle.write(contentsOf: Data("\(number)\n".utf8))
            }
        } catch { throw unwritable(error) }
    }

    /// It is not what it should be: the next try begins anew.
    func discard() {
        for file in [path, journal] { try? FileManager.default.removeItem(atPath: file) }
    }

    /// Whether the content is what its digest says. It reads all of it: never from the concurrency pool.
    func matches(_ digest: HubFile.Digest) throws -> Bool {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        return try digest.matches(handle, size: size)
    }

    /// Moves the file to its place, whole.
    func move(to blob: String) throws(HubError) {
        do {
            // Whoever had it wrong before.
            if HubCache.size(at: blob) != nil { try FileManager.default.removeItem(atPath: blob) }
            try FileManager.default.moveItem(atPath: path, toPath: blob)
            try? FileManager.default.removeItem(atPath: journal)
        } catch { throw unwritable(error) }
    }
}

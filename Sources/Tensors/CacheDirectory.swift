internal import Foundation

/// A folder of files that can be made again: packed weights, and digests of files by their identity. Whatever goes wrong
/// with it costs time, never a result: reading gives nil, writing is given up.
package struct CacheDirectory: Sendable {
    package let path: String
    /// Bytes that the folder may hold; the files that were used longest ago make room.
    package let limit: Int

    /// - Parameter path: is made when something is first written.
    package init(path: String, limit: Int = 64 << 30) {
        (self.path, self.limit) = (path, limit)
    }

    /// Where the environment says: `NEPHELE_CACHE`, else `$XDG_CACHE_HOME/nephele`, else `~/.cache/nephele`; nil where
    /// `NEPHELE_CACHE` is `none` or there is no home.
    package static func standard(_ environment: [String: String]) -> CacheDirectory? {
        func value(_ key: String) -> String? { environment[key].flatMap { $0.isEmpty ? nil : $0 } }
        if let own = value("NEPHELE_CACHE") { return own == "none" ? nil : CacheDirectory(path: own) }
        let base = value("XDG_CACHE_HOME") ?? value("HOME").map { $0 + "/.cache" }
        return base.map { CacheDirectory(path: $0 + "/nephele") }
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// Makes the folder, for this user alone.
    func prepare() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    /// Writes a file whole or not at all.
    func write(_ data: Data, to name: String) {
        try? prepare()
        try? data.write(to: URL(fileURLWithPath: file(name)), options: .atomic)
    }

    /// Notes that a file was used.
    func touch(_ name: String) {
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: file(name))
    }

    /// Removes the files that were used longest ago until `bytes` more fit, and what an interrupted writer left.
    func makeRoom(for bytes: Int) {
        let files = FileManager.default, keys: Set<URLResourceKey> = [.fileSizeKey, .contentModificationDateKey]
        let found =
            (try? files.contentsOfDirectory(at: URL(fileURLWithPath: path), includingPropertiesForKeys: Array(keys)))
        var entries = (found ?? []).compactMap { url -> (url: URL, size: Int, used: Date)? in
            guard let values = try? url.resourceValues(forKeys: keys), let size = values.fileSize,
                let used = values.contentModificationDate, Self.suffixes.contains(url.pathExtension)
            else { return nil }
            return (url, size, used)
        }
        let abandoned = Date(timeIntervalSinceNow: -3_600)
        entries.sort { $0.used < $1.used }
        var total = entries.reduce(0) { $0 + $1.size }
        for entry in entries {
            let isPassing = [Self.partialSuffix, Self.lockSuffix].contains(entry.url.pathExtension)
            let isLeftover = isPassing && entry.used < abandoned
            guard isLeftover || (!isPassing && total + bytes > limit) else { continue }
            if (try? files.removeItem(at: entry.url)) != nil { total -= entry.size }
        }
    }

    static let packedSuffix = "packed", digestSuffix = "digest", partialSuffix = "partial", lockSuffix = "lock"
    /// The suffixes of files that may be removed; others in the folder are not ours.
    private static let suffixes: Set<String> = [packedSuffix, digestSuffix, partialSuffix, lockSuffix]
}

internal import Crypto
internal import Foundation
internal import Glibc

/// The SHA-256 of a file's content, remembered by the file's identity: where, which, how large, when changed.
enum FileDigest {
    /// A file changed within this time may change again without its time showing it.
    static let settled = 2.0

    /// - Parameters:
    ///   - cache: remembers digests; nil to read the file in any case.
    ///   - settled: seconds within which a changed file is not remembered.
    /// - Throws: what reading throws.
    static func compute(_ path: String, cache: CacheDirectory?, settled: Double = settled) throws -> String {
        guard let cache, let identity = identity(path, settled) else { return try read(path) }
        let name = hexadecimal(SHA256.hash(data: Data(identity.utf8))) + "." + CacheDirectory.digestSuffix
        if let known = FileManager.default.contents(atPath: cache.file(name)),
            let text = String(validating: known, as: UTF8.self), text.hasSuffix(" " + identity)
        {
            let digest = String(text.dropLast(identity.count + 1))
            if digest.count == 64, digest.allSatisfy(\.isHexDigit) {
                cache.touch(name)
                return digest
            }
        }
        let digest = try read(path)
        // Only if the file is what it was before it was read.
        if self.identity(path, settled) == identity { cache.write(Data("\(digest) \(identity)".utf8), to: name) }
        return digest
    }

    private static func identity(_ path: String, _ settled: Double) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        func seconds(_ time: timespec) -> Double { Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 }
        guard max(seconds(status.st_mtim), seconds(status.st_ctim)) + settled < Date().timeIntervalSince1970 else {
            return nil
        }
        let absolute = URL(fileURLWithPath: path).standardizedFileURL.path
        return "\(status.st_dev) \(status.st_ino) \(status.st_size) "
            + "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) \(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec) "
            + absolute
    }

    private static func read(_ path: String) throws -> String {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        var digest = SHA256()
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { digest.update(data: data) }
        return hexadecimal(digest.finalize())
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

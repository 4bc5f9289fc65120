internal import Crypto
internal import Foundation

/// A file of a repository at one commit.
package struct HubFile: Sendable, Hashable {
    /// What the file's content is known by; its name in the cache too.
    package enum Digest: Sendable, Hashable {
        /// Of a large file (Git LFS): SHA-256, 64 hexadecimal digits.
        case sha256(String)
        /// Of any other: Git's, SHA-1 over `blob SIZE\0` and the content, 40 digits.
        case gitBlob(String)

        package var text: String {
            switch self {
            case .sha256(let text), .gitBlob(let text): text
            }
        }
    }

    /// Within the repository, with `/`.
    package let path: String
    /// Bytes.
    package let size: Int
    package let digest: Digest

    package init(path: String, size: Int, digest: Digest) {
        (self.path, self.size, self.digest) = (path, size, digest)
    }

    var name: Substring { path.unicodeScalars.split(separator: "/").last.map { Substring($0) } ?? "" }

    /// The folder within the repository; empty for a file at its root.
    var folder: String { String(path.dropLast(name.count)).trimmingCharacters(in: ["/"]) }

    /// Whether a path leads to a file below the folder that it is put in, whoever wrote it.
    static func isSafe(_ path: String) -> Bool {
        guard (1...1_024).contains(path.utf8.count) else { return false }
        let hasControl = path.unicodeScalars.contains { $0.properties.generalCategory == .control || $0 == "\\" }
        // By bytes, as the file system sees it: an accent behind a slash makes another character of it.
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return !hasControl
            && parts.allSatisfy { part in
                !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8) && part.count <= 255
            }
    }
}

extension HubFile.Digest {
    /// The digest of what is in a file. It reads all of it: never from the concurrency pool.
    ///
    /// - Parameter size: what the file holds, in bytes.
    func matches(_ handle: FileHandle, size: Int) throws -> Bool {
        switch self {
        case .sha256(let text): return try Self.digest(SHA256(), of: handle) == text
        case .gitBlob(let text):
            var digest = Insecure.SHA1()
            digest.update(data: Data("blob \(size)\0".utf8))
            return try Self.digest(digest, of: handle) == text
        }
    }

    private static func digest(_ function: some HashFunction, of handle: FileHandle) throws -> String {
        var function = function
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { function.update(data: data) }
        return function.finalize().map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

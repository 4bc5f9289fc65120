import Foundation

/// Something that reads bytes from outside.
protocol FuzzTarget {
    var samples: [[UInt8]] { get }
    var kind: SampleKind { get }

    /// Reads them. An error is as good as success; a crash, a hang and memory that grows are not.
    ///
    /// - Throws: `FuzzFinding` for an outcome that must not be.
    mutating func run(_ input: [UInt8]) async throws
}

/// An outcome that no crash shows.
struct FuzzFinding: Error, CustomStringConvertible {
    var description: String
}

/// A folder in memory for targets that read files.
struct Scratch {
    let path: String

    init() throws {
        let base = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        path = base + "/nephele-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        let file = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(file) }
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw CocoaError(.fileWriteOutOfSpace) }
    }

    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }
}

/// Checkpoints that the tests have anyway.
enum Corpus {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    /// A file below `Tests`.
    static func file(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: tests.appendingPathComponent(path)))
    }

    static func path(_ path: String) -> String { tests.appendingPathComponent(path).path }

    static func files(_ folder: String, where isWanted: (String) -> Bool = { _ in true }) throws -> [[UInt8]] {
        let names = try FileManager.default.contentsOfDirectory(atPath: path(folder)).filter(isWanted).sorted()
        return try names.map { try file(folder + "/" + $0) }
    }
}

import Foundation
import Testing

@testable import Tensors

@Suite struct PackedCacheTests {
    private let device = Device(threadCount: 2)
    private let directory = FileManager.default.temporaryDirectory.path + "/nephele-cache-" + UUID().uuidString
    private var cache: CacheDirectory { CacheDirectory(path: directory) }
    private var file: String { directory + "/key.packed" }

    private func values(_ count: Int, seed: UInt64) -> [Float] {
        let philox = Philox(seed: seed)
        return (0..<count).map { Philox.unit(philox.block((UInt32($0), 0, 0, 0)).0) - 0.5 }
    }

    /// Matrices of every kind, one of them large enough for memory of its own.
    private func matrices() throws -> [(name: String, matrix: PackedMatrix)] {
        let large = try Tensor(values(640 * 512, seed: 1), shape: [640, 512])
        let small = try Tensor(values(20 * 64, seed: 2), shape: [20, 64])
        let blocks = BlockMatrix(format: .q4_K, depth: 256, rows: try Tensor(zeros: [40, 144], dtype: .u8))
        return [
            ("large", try PackedMatrix(large, on: device)), ("small", try PackedMatrix(small, on: device)),
            ("half", try PackedMatrix(try small.narrowedToBF16(), on: device)),
            (
                "int8",
                try PackedMatrix(
                    try GroupedWeights(quantizing: large, to: GroupedFormat(bits: 8), on: device), on: device)
            ),
            ("q4_k", try PackedMatrix(blocks, on: device)),
        ]
    }

    private func bytes(_ matrix: PackedMatrix) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: matrix.panels.raw, count: matrix.byteCount))
    }

    /// Asks a cache for all matrices; those that it did not have are packed.
    private func load(_ cache: PackedCache) throws -> (matrices: [PackedMatrix], packed: [String]) {
        var packed: [String] = []
        let matrices = try matrices().map { name, matrix in
            try cache.matrix(name, columns: matrix.columns, depth: matrix.depth) {
                packed.append(name)
                return matrix
            }
        }
        return (matrices, packed)
    }

    private func open(patience: Duration = .zero, _ directory: CacheDirectory? = nil) -> PackedCache {
        PackedCache(directory ?? cache, key: "key", patience: patience, on: device)
    }

    @Test func `what one process packed another maps, bit for bit`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let expected = try matrices().map { bytes($0.matrix) }
        let first = open()
        let cold = try load(first)
        #expect(cold.packed.count == 5 && !first.isWarm)
        #expect(first.write())
        // The writer's own memory has given way to the file.
        #expect(cold.matrices.map { bytes($0) } == expected)
        let second = open()
        let warm = try load(second)
        #expect(warm.packed.isEmpty && second.isWarm && second.write())
        #expect(warm.matrices.map { bytes($0) } == expected)
        #expect(warm.matrices.map(\.format) == cold.matrices.map(\.format))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.contains("partial") } == [])
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        // Products with mapped weights are those with weights of one's own.
        let x = try Tensor(values(3 * 512, seed: 3), shape: [3, 512])
        let a = try Tensor(zeros: [3, 640]), b = try Tensor(zeros: [3, 640])
        try device.matmul(x, try matrices()[0].matrix, into: a)
        try device.matmul(x, warm.matrices[0], into: b)
        #expect(a.floats == b.floats)
    }

    @Test func `a truncated, foreign or corrupt file is packed anew`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = open()
        _ = try load(first)
        #expect(first.write())
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        var damaged: [Data] = [Data(), Data("something else".utf8), whole + [0]]
        for length in [8, 63, 64, 200, 5_000, whole.count - 1] { damaged.append(whole.prefix(length)) }
        for position in [0, 8, 16, 24, 32, 70, 300, 4_096 * 4, whole.count / 2, whole.count - 4_096] {
            var data = whole
            data[position] ^= 0x10
            damaged.append(data)
        }
        for (index, data) in damaged.enumerated() {
            // A new file: who maps the old one keeps it.
            try FileManager.default.removeItem(atPath: file)
            try data.write(to: URL(fileURLWithPath: file))
            let cache = open()
            #expect(try load(cache).packed.count == 5, "damage \(index)")
            #expect(cache.write(), "damage \(index)")
            #expect(open().isWarm)
        }
        let other = PackedCache(cache, key: "another", on: device)
        try FileManager.default.copyItem(atPath: file, toPath: directory + "/third.packed")
        #expect(!other.isWarm && !PackedCache(cache, key: "third", on: device).isWarm)
    }

    @Test func `a folder that cannot be written costs the cache and nothing else`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Data().write(to: URL(fileURLWithPath: directory))
        let cache = open(CacheDirectory(path: directory + "/within"))
        #expect(try load(cache).packed.count == 5)
        #expect(!cache.write())
        #expect(try FileDigest.compute(#filePath, cache: CacheDirectory(path: directory)).count == 64)
    }

    @Test func `the folder keeps within its limit, and what was used longest ago makes room`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tight = open(CacheDirectory(path: directory, limit: 1 << 20))
        _ = try load(tight)
        #expect(!tight.write() && !FileManager.default.fileExists(atPath: file))
        for (name, age) in [("old.packed", 7_200.0), ("new.packed", 60), ("mine.txt", 9_000), ("left.partial", 7_200)] {
            try Data(count: 1 << 20).write(to: URL(fileURLWithPath: directory + "/" + name))
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: directory + "/" + name)
        }
        let room = open(CacheDirectory(path: directory, limit: 4 << 20))
        _ = try load(room)
        #expect(room.write())
        let left = Set(try FileManager.default.contentsOfDirectory(atPath: directory))
        #expect(left.isSuperset(of: ["key.packed", "new.packed", "mine.txt"]))
        #expect(!left.contains("old.packed") && !left.contains("left.partial"))
    }

    @Test func `one packs while another waits, and its death sets the other free`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var first: PackedCache? = open()
        _ = try load(try #require(first))
        // Without patience the other packs for itself.
        #expect(try load(open()).packed.count == 5)
        let waiting = Task.detached { open(patience: .seconds(60)) }
        #expect(first?.write() == true)
        #expect(await waiting.value.isWarm)
        try FileManager.default.removeItem(atPath: file)
        first = open()
        let next = Task.detached { open(patience: .seconds(60)) }
        first = nil
        #expect(await !next.value.isWarm)
    }

    @Test func `a file's digest is remembered by its identity and not beyond it`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/weights"
        try cache.prepare()
        try Data("abc".utf8).write(to: URL(fileURLWithPath: path))
        let digest = try FileDigest.compute(path, cache: cache, settled: 0)
        #expect(digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let memo = try #require(
            try FileManager.default.contentsOfDirectory(atPath: directory).first { $0 != "weights" })
        let note = try String(contentsOfFile: directory + "/" + memo, encoding: .utf8)
        let changed = String(repeating: "0", count: 64) + note.dropFirst(64)
        try Data(changed.utf8).write(to: URL(fileURLWithPath: directory + "/" + memo))
        // The note is believed where the file is the same, ...
        #expect(try FileDigest.compute(path, cache: cache, settled: 0).allSatisfy { $0 == "0" })
        // ... but not where it is damaged, or the file has just been changed.
        try Data("rubbish".utf8).write(to: URL(fileURLWithPath: directory + "/" + memo))
        #expect(try FileDigest.compute(path, cache: cache, settled: 0) == digest)
        #expect(try FileDigest.compute(path, cache: cache) == digest)
        try Data("abd".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try FileDigest.compute(path, cache: cache, settled: 0) != digest)
    }

    @Test func `the environment says where the cache is`() {
        #expect(CacheDirectory.standard(["HOME": "/h"])?.path == "/h/.cache/nephele")
        #expect(CacheDirectory.standard(["HOME": "/h", "XDG_CACHE_HOME": "/x"])?.path == "/x/nephele")
        #expect(CacheDirectory.standard(["XDG_CACHE_HOME": "/x", "NEPHELE_CACHE": "/n"])?.path == "/n")
        #expect(CacheDirectory.standard(["HOME": "/h", "NEPHELE_CACHE": "none"]) == nil)
        #expect(CacheDirectory.standard([:]) == nil)
    }
}

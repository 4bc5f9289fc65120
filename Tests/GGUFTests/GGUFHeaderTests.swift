import Foundation
import GGUF
import Testing

/// A GGUF file in the making, little-endian.
private struct Bytes {
    var bytes: [UInt8] = []

    mutating func add<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: 0, to: T.bitWidth, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    /// The first bytes: mark, version, counts.
    init(version: UInt32 = 3, tensors: UInt64 = 0, keys: UInt64 = 0) {
        bytes = Array("GGUF".utf8)
        add(version)
        add(tensors)
        add(keys)
    }

    mutating func addTensor(_ name: String, _ extents: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        add(name)
        add(UInt32(extents.count))
        for extent in extents { add(extent) }
        add(type)
        add(offset)
    }

    mutating func addData(_ count: Int) {
        while bytes.count % 32 != 0 { bytes.append(0) }
        bytes += [UInt8](repeating: 7, count: count)
    }
}

private func header(_ bytes: [UInt8]) throws -> GGUFHeader {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-\(UUID().uuidString).gguf")
    try Data(bytes).write(to: path)
    defer { try? FileManager.default.removeItem(at: path) }
    return try GGUFHeader(path: path.path)
}

private func example() -> [UInt8] {
    var file = Bytes(tensors: 2, keys: 3)
    file.add("general.architecture")
    file.add(UInt32(8))
    file.add("llama")
    file.add("llama.block_count")
    file.add(UInt32(4))
    file.add(UInt32(2))
    file.add("tokenizer.ggml.scores")
    file.add(UInt32(9))
    file.add(UInt32(6))
    file.add(UInt64(2))
    file.add(Float(1.5).bitPattern)
    file.add(Float(-2).bitPattern)
    file.addTensor("a", [32, 3], type: 8)
    file.addTensor("b", [4], offset: 128)
    file.addData(128 + 16)
    return file.bytes
}

@Suite struct GGUFHeaderTests {
    @Test func `metadata and tensors are read`() throws {
        let header = try header(example())
        #expect(header.metadata["general.architecture"]?.text == "llama")
        #expect(header.metadata["llama.block_count"]?.integer == 2)
        #expect(header.metadata["tokenizer.ggml.scores"]?.array?.compactMap(\.number) == [1.5, -2])
        let a = try #require(header.tensors["a"]), b = try #require(header.tensors["b"])
        #expect(a.type == .q8_0 && a.shape == [3, 32] && a.byteCount == 102)
        #expect(b.type == .f32 && b.shape == [4] && b.byteCount == 16 && b.offset == a.offset + 128)
    }

    @Test func `a file that is cut anywhere is an error`() {
        let whole = example()
        for length in 0..<whole.count {
            #expect(throws: GGUFError.self, "cut after \(length) bytes") { try header(Array(whole[..<length])) }
        }
    }

    @Test func `whatever byte is changed, reading ends in an answer or an error`() {
        let whole = example()
        for position in whole.indices {
            for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
                var bytes = whole
                bytes[position] = value
                do { _ = try header(bytes) } catch { #expect(error is GGUFError) }
            }
        }
    }

    /// A file that is refused, and what the refusal has to say.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let says: [String]

        init(_ description: String, _ bytes: [UInt8], says: String...) {
            (testDescription, self.bytes, self.says) = (description, bytes, says)
        }
    }

    private static func file(
        _ tensors: UInt64 = 0, _ keys: UInt64 = 0, version: UInt32 = 3, data: Int = 0, _ fill: (inout Bytes) -> Void
    ) -> [UInt8] {
        var file = Bytes(version: version, tensors: tensors, keys: keys)
        fill(&file)
        file.addData(data)
        return file.bytes
    }

    @Test(arguments: [
        Refusal("another kind of file", Array("PK\u{3}\u{4}0000000000000000".utf8), says: "GGUF"),
        Refusal("version 1", file(version: 1) { _ in }, says: "version 1"),
        Refusal("big-endian", file(version: UInt32(3).byteSwapped) { _ in }, says: "big-endian"),
        Refusal("2⁶³ tensors", file(1 << 63) { _ in }, says: "number of tensors", "\(UInt64(1) << 63)"),
        Refusal("2⁴⁰ keys", file(0, 1 << 40) { _ in }, says: "metadata entries"),
        Refusal(
            "an endless string",
            file(0, 1, data: 64) {
                $0.add(UInt64.max)
                $0.add(UInt64(0))
            }, says: "metadata key", "\(UInt64.max)"),
        Refusal(
            "an endless array",
            file(0, 1, data: 64) {
                $0.add("k")
                $0.add(UInt32(9))
                $0.add(UInt32(0))
                $0.add(UInt64(1) << 62)
            }, says: "\"k\"", "\(UInt64(1) << 62)"),
        Refusal(
            "arrays in arrays in arrays",
            file(0, 1, data: 256) {
                $0.add("k")
                $0.add(UInt32(9))
                for _ in 0..<8 {
                    $0.add(UInt32(9))
                    $0.add(UInt64(1))
                }
            }, says: "\"k\"", "nested"),
        Refusal(
            "an unknown type of value",
            file(0, 1, data: 64) {
                $0.add("k")
                $0.add(UInt32(99))
            }, says: "\"k\"", "99"),
        Refusal(
            "a key twice",
            file(0, 2, data: 64) {
                for _ in 0..<2 {
                    $0.add("k")
                    $0.add(UInt32(7))
                    $0.add(UInt8(1))
                }
            }, says: "\"k\"", "twice"),
        Refusal(
            "an alignment of 3",
            file(0, 1, data: 64) {
                $0.add("general.alignment")
                $0.add(UInt32(4))
                $0.add(UInt32(3))
            }, says: "general.alignment"),
        Refusal(
            "a part of several",
            file(0, 1, data: 64) {
                $0.add("split.count")
                $0.add(UInt32(2))
                $0.add(UInt16(4))
                $0.add(UInt16(0))
            }, says: "4 parts"),
        Refusal("five dimensions", file(1, data: 64) { $0.addTensor("t", [1, 1, 1, 1, 1]) }, says: "\"t\"", "5"),
        Refusal("2⁴⁰ elements", file(1, data: 64) { $0.addTensor("t", [1 << 40]) }, says: "\"t\""),
        Refusal(
            "2⁹⁶ elements", file(1, data: 64) { $0.addTensor("t", [1 << 30, 1 << 30, 1 << 30, 64]) }, says: "\"t\"",
            "too large"),
        Refusal("a tensor beyond the end", file(1, data: 64) { $0.addTensor("t", [17]) }, says: "\"t\"", "truncated"),
        Refusal(
            "an offset beyond the end", file(1, data: 64) { $0.addTensor("t", [1], offset: 1 << 62) }, says: "\"t\"",
            "truncated"),
        Refusal("an odd offset", file(1, data: 64) { $0.addTensor("t", [1], offset: 4) }, says: "\"t\"", "32"),
        Refusal("half a block", file(1, data: 256) { $0.addTensor("t", [128], type: 12) }, says: "\"t\"", "Q4_K"),
        Refusal(
            "a tensor twice",
            file(2, data: 64) {
                $0.addTensor("t", [1])
                $0.addTensor("t", [1], offset: 32)
            }, says: "\"t\"", "twice"),
        Refusal(
            "two at one place",
            file(2, data: 64) {
                $0.addTensor("t", [16])
                $0.addTensor("u", [8], offset: 32)
            }, says: "overlaps"),
    ])
    func `what is absurd is refused by name and value`(refusal: Refusal) {
        #expect { try header(refusal.bytes) } throws: { error in
            guard let message = (error as? GGUFError)?.message else { return false }
            return refusal.says.allSatisfy { message.contains($0) }
        }
    }

    @Test func `a tensor of another type is no error until it is asked for`() throws {
        let header = try header(Self.file(1, data: 64) { $0.addTensor("t", [256], type: 22) })
        #expect(header.tensors["t"]?.type == .other(22) && header.tensors["t"]?.type.name == "IQ2_S")
    }

    @Test func `a checkpoint is the only GGUF file of a directory, or the file itself`() throws {
        let files = FileManager.default
        let directory = files.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
        try files.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? files.removeItem(at: directory) }
        let path = directory.path
        #expect(try GGUFLocation.file(at: path) == nil)
        try Data(example()).write(to: directory.appendingPathComponent("model.gguf"))
        #expect(try GGUFLocation.file(at: path) == path + "/model.gguf")
        #expect(try GGUFLocation.file(at: path + "/model.gguf") == path + "/model.gguf")
        #expect(try GGUFLocation.file(at: path + "/other.gguf") == nil)
        try Data(example()).write(to: directory.appendingPathComponent("other.gguf"))
        #expect { try GGUFLocation.file(at: path) } throws: { "\($0)".contains("model.gguf, other.gguf") }
        try Data().write(to: directory.appendingPathComponent("model.safetensors"))
        #expect(try GGUFLocation.file(at: path) == nil)
    }
}

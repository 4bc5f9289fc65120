import Foundation
import GGUF
import Testing

/// A model in parts, as `llama-gguf-split` cuts it.
@Suite struct GGUFPartsTests {
    private final class Folder {
        let path: String

        init() throws {
            path = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
        }
    }

    /// A part with one tensor of 8 floats, which all are its number.
    private func part(
        _ number: Int, of count: Int, total: Int, tensor: String, more: [String] = []
    ) -> [UInt8] {
        var bytes = Array("GGUF".utf8)
        func add<T: FixedWidthInteger>(_ value: T) {
            for shift in stride(from: 0, to: T.bitWidth, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: value >> shift))
            }
        }
        func add(_ text: String) {
            add(UInt64(text.utf8.count))
            bytes += Array(text.utf8)
        }
        let keys = [("split.no", number - 1), ("split.count", count), ("split.tensors.count", total)]
        let texts = (number == 1 ? ["general.architecture"] : []) + more
        add(UInt32(3))
        add(UInt64(1))
        add(UInt64(keys.count + texts.count))
        for (key, value) in keys {
            add(key)
            add(UInt32(5))
            add(Int32(value))
        }
        for key in texts {
            add(key)
            add(UInt32(8))
            add("llama")
        }
        add(tensor)
        add(UInt32(1))
        add(UInt64(8))
        add(UInt32(0))
        add(UInt64(0))
        while bytes.count % 32 != 0 { bytes.append(0) }
        for _ in 0..<8 { add(Float(number).bitPattern) }
        return bytes
    }

    private func folder(
        count: Int = 3, total: Int = 3, without missing: Int = 0, tensors: [String] = ["a", "b", "c"],
        more: [Int: [String]] = [:]
    ) throws -> Folder {
        let folder = try Folder()
        for number in 1...count where number != missing {
            try folder.write(
                "model-Q4_K_M-0000\(number)-of-0000\(count).gguf",
                part(number, of: count, total: total, tensor: tensors[number - 1], more: more[number] ?? []))
        }
        return folder
    }

    @Test func `parts are read as one file`() throws {
        let folder = try folder()
        let first = folder.path + "/model-Q4_K_M-00001-of-00003.gguf"
        #expect(try GGUFLocation.file(at: folder.path) == first)
        #expect(try GGUFLocation.file(at: first) == first)
        let header = try GGUFHeader(path: first)
        #expect(header.files.map(\.path) == (try GGUFParts.paths(of: first)) && header.files.count == 3)
        #expect(header.tensors.mapValues(\.file) == ["a": 0, "b": 1, "c": 2])
        #expect(header.metadata["general.architecture"]?.text == "llama")
        // A name that only looks like one.
        #expect(try GGUFParts.paths(of: "/m/part-of-00003.gguf") == ["/m/part-of-00003.gguf"])
        #expect(try GGUFParts.paths(of: "/m/x-00004-of-00003.gguf").count == 1)
    }

    private func message(_ folder: Folder, _ file: String = "model-Q4_K_M-00001-of-00003.gguf") -> String {
        do {
            guard let path = try GGUFLocation.file(at: folder.path + "/" + file) else { return "no file" }
            _ = try GGUFHeader(path: path)
            return "none"
        } catch { return error.message }
    }

    @Test func `parts that do not fit are refused by name`() throws {
        #expect(message(try folder(without: 2)).contains("00002-of-00003.gguf is missing"))
        #expect(message(try folder(), "model-Q4_K_M-00002-of-00003.gguf").contains("name the first one"))
        #expect(message(try folder(total: 4)).contains("4 tensors; they hold 3"))
        #expect(message(try folder(tensors: ["a", "b", "a"])).contains("\"a\", which another part has too"))
        #expect(message(try folder(more: [2: ["llama.rope"]])).contains("\"llama.rope\", which belongs"))
        let swapped = try folder()
        try swapped.write("model-Q4_K_M-00003-of-00003.gguf", part(2, of: 3, total: 3, tensor: "c"))
        #expect(message(swapped).contains("part 3 of 3"))
        let renamed = try Folder()
        try renamed.write("model.gguf", part(1, of: 3, total: 3, tensor: "a"))
        #expect(message(renamed, "model.gguf").contains("one of 3 parts, but its name says 1"))
        let two = try folder()
        try two.write("other.gguf", part(1, of: 1, total: 1, tensor: "a"))
        #expect(message(two, "").contains("4 GGUF files"))
    }
}

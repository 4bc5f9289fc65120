import Foundation
import Testing

@testable import Tensors

@Suite struct SafetensorsTests {
    private func file(_ data: Data) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".safetensors")
            .path
        try data.write(to: URL(fileURLWithPath: path))
        return path
    }

    private func file(header: String, data: Int = 0, announced: UInt64? = nil) throws -> String {
        var bytes = Data()
        withUnsafeBytes(of: (announced ?? UInt64(header.utf8.count)).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(Data(header.utf8))
        bytes.append(Data(count: data))
        return try file(bytes)
    }

    @Test func `what is written is read back`() throws {
        let a = try Tensor([1, -2, 3.5, 0, 5, 6], shape: [2, 3])
        let path = try file(
            try SafetensorsWriter.encode(["a": a, "b": a.narrowedToBF16(), "empty": try Tensor(zeros: [0, 4])]))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let opened = try SafetensorsFile(path: path)
        #expect(try opened.tensor("a", shape: [2, 3]).floats == a.floats)
        #expect(try opened.tensor("b").widened().floats == a.floats)
        #expect(try opened.tensor("empty").count == 0)
    }

    @Test func `a wrong shape, a missing name and a shrunken file are errors that name the tensor`() throws {
        let a = try Tensor([Float](repeating: 1, count: 6_000), shape: [2, 3_000])
        let path = try file(try SafetensorsWriter.encode(["a": a]))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let opened = try SafetensorsFile(path: path)
        #expect { try opened.tensor("a", shape: [3_000, 2]) } throws: {
            "\($0)".contains("\"a\"") && "\($0)".contains("[3000, 2]")
        }
        #expect { try opened.tensor("b") } throws: { ($0 as? TensorError)?.code == .missing }
        #expect(truncate(path, 1_000) == 0)
        #expect { try opened.tensor("a") } throws: { "\($0)".contains("truncated") }
    }

    @Test(arguments: [
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}"#,
        #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"a":7}"#, #"["a"]"#, "", "{", "\u{0}",
    ])
    func `a malformed header is refused`(header: String) throws {
        let path = try file(header: header, data: 8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect { try SafetensorsFile(path: path) } throws: { ($0 as? TensorError)?.code == .malformed }
    }

    @Test func `an absurd header length is refused`() throws {
        for announced in [UInt64.max, 1 << 40, 9] {
            let path = try file(header: "{}", announced: announced)
            defer { try? FileManager.default.removeItem(atPath: path) }
            #expect(throws: TensorError.self) { try SafetensorsFile(path: path) }
        }
        #expect { try SafetensorsFile(path: "/nonexistent/x") } throws: { "\($0)".contains("/nonexistent/x") }
    }
}

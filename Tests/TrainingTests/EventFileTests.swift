import Foundation
import ModelTesting
import Testing

@testable import Training

/// TensorBoard's files. TensorBoard 2.21 itself read those that `nephele train text --tensorboard` wrote, by
/// `event_accumulator.EventAccumulator`.
struct EventFileTests {
    @Test("The checksum is CRC-32C: RFC 3720's examples, and that of nine digits")
    func checksum() {
        #expect(EventFile.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(EventFile.checksum(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(EventFile.checksum(Array(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(EventFile.checksum(Array(0..<32)) == 0x46DD_794E)
    }

    @Test("A file has the frames and the messages that tensorboard's own writer makes of the same numbers")
    func frames() throws {
        let directory = try TemporaryDirectory()
        let file = try EventFile(in: directory.path, after: 300, now: 1_700_000_000.5)
        try file.write([("train/loss", 2.5), ("é", -1)], step: 301, now: 1_700_000_001)
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: directory.path).first)
        #expect(name.hasPrefix("events.out.tfevents.1700000000."))
        let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/" + name))
        // tensorboard.summary.writer.record_writer.RecordWriter with messages of tensorboard.compat.proto (2.21).
        let golden = """
            GAAAAAAAAACjf0siCQAAIED8VNlBGg1icmFpbi5FdmVudDoyKzUxEBAAAAAAAAAAlfv+GAkAACBA/FTZQRCtAjoCCAFZbz95LAAAAAAAAAD0rsxFCQAA\
            QED8VNlBEK0CKh4KEQoKdHJhaW4vbG9zcxUAACBACgkKAsOpFQAAgL/Cey1x
            """
        #expect(bytes.base64EncodedString() == golden)
    }
}

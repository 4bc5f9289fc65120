import ConfigurationFiles
import ContentLabels
import Foundation
import Gateway
import Testing

@Suite(.timeLimit(.minutes(10))) struct LabelSourceTests {
    @Test func `labels are read again when their file or a secret changes, and an error changes nothing`() async throws
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func write(_ text: String, to name: String) throws {
            try Data(text.utf8).write(to: folder.appendingPathComponent(name), options: .atomic)
        }
        try write("0123456789abcdef", to: "a.key")
        try write("labels: {text: {watermark: {keys: a.key}}}", to: "labels.yaml")
        let source = try LabelSource(labels: folder.appendingPathComponent("labels.yaml").path)
        let first = source.current.watermarkKeys
        #expect(first.count == 1)
        let watching = Task { await source.watch() }
        defer { watching.cancel() }
        try write("fedcba9876543210", to: "a.key")
        while source.current.watermarkKeys == first { try await Task.sleep(for: .milliseconds(20)) }
        #expect(source.fault == nil)
        try write("short", to: "a.key")
        source.reload()
        #expect(source.current.watermarkKeys.count == 1 && source.fault?.contains("16 bytes") == true)
        try write("labels: {pictures: off}", to: "labels.yaml")
        while !source.current.watermarkKeys.isEmpty { try await Task.sleep(for: .milliseconds(20)) }
        #expect(source.fault == nil && source.current.standard.pictures.isEmpty)
    }

    @Test func `a file that is not there is said at once, and without one there is nothing to read`() throws {
        #expect(throws: ConfigurationError.self) { _ = try LabelSource(labels: "/nowhere/labels.yaml") }
        let source = try LabelSource(labels: "off")
        source.reload()
        #expect(source.current.standard.pictures.isEmpty && source.fault == nil)
    }
}

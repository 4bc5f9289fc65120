import ConfigurationFiles
import Foundation
import Gateway
import Testing

@Suite(.timeLimit(.minutes(10))) struct RoutingSourceTests {
    @Test func `a file that changes is read again, and one with an error changes nothing`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        func write(_ text: String) throws { try Data(text.utf8).write(to: file, options: .atomic) }
        try write("aliases: {a: one}")
        let source = try RoutingSource(file: file.path)
        let watching = Task { await source.watch() }
        defer { watching.cancel() }
        try write("aliases: {a: two}")
        while source.current.aliases["a"] != "two" { try await Task.sleep(for: .milliseconds(20)) }
        try write("aliases: [")
        source.reload()
        #expect(source.current.aliases["a"] == "two")
        #expect(source.fault?.contains(":1:") == true)
        try write("aliases: {a: three}")
        while source.current.aliases["a"] != "three" { try await Task.sleep(for: .milliseconds(20)) }
        #expect(source.fault == nil)
    }

    @Test func `a file behind a link that changes is read again, as Kubernetes changes a volume's`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["one", "two"] {
            let version = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: version, withIntermediateDirectories: true)
            try Data("aliases: {a: \(name)}".utf8).write(to: version.appendingPathComponent("routes.yaml"))
        }
        func link(_ name: String, to target: String) throws {
            let path = folder.appendingPathComponent(name).path
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
        }
        try link("..data", to: "one")
        try link("routes.yaml", to: "..data/routes.yaml")
        let source = try RoutingSource(file: folder.appendingPathComponent("routes.yaml").path)
        let watching = Task { await source.watch() }
        defer { watching.cancel() }
        #expect(source.current.aliases["a"] == "one")
        try link("..data", to: "two")
        while source.current.aliases["a"] != "two" { try await Task.sleep(for: .milliseconds(20)) }
    }

    @Test func `a file that is not there is said at once`() {
        #expect(throws: ConfigurationError.self) { _ = try RoutingSource(file: "/nowhere/routes.yaml") }
    }
}

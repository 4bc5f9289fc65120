import Foundation
import Testing

@testable import ServiceRuntime

@Suite struct AvailableMemoryTests {
    /// A root with these files.
    private func available(_ files: [String: String]) throws -> Int? {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: root) }
        for (name, text) in files {
            let url = root.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return AvailableMemory.bytes(root: root.path)
    }

    private let system = "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    500 kB\n"

    @Test func `without groups it is what the kernel has`() throws {
        #expect(try available(["proc/meminfo": system]) == 500 << 10)
        #expect(try available([:]) == nil)
        #expect(AvailableMemory.bytes() ?? 0 > 0)
    }

    @Test func `the tightest of a process's groups counts, and what files take there can be had`() throws {
        let files = [
            "proc/meminfo": system, "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/memory.max": "400000\n", "sys/fs/cgroup/a/memory.current": "300000\n",
            "sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 20000\nactive_file 5000\n",
            "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "7\n",
        ]
        #expect(try available(files) == 125_000)
        #expect(
            try available([
                "proc/meminfo": system, "sys/fs/cgroup/memory.max": "10\n", "sys/fs/cgroup/memory.current": "20\n",
            ]) == 0)
    }

    @Test func `groups of version 1 count too`() throws {
        #expect(
            try available([
                "proc/meminfo": system, "sys/fs/cgroup/memory/memory.limit_in_bytes": "90000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "30000\n",
            ]) == 60_000)
    }
}

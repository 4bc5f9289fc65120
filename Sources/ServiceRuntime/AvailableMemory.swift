import Foundation

/// Memory that this process can still take: what the kernel has for it, within what its control groups allow.
package enum AvailableMemory {
    /// Bytes; nil where they are not known.
    package static func bytes() -> Int? { bytes(root: "") }

    /// - Parameter root: before `/proc` and `/sys`, for tests.
    static func bytes(root: String) -> Int? {
        let system = field("MemAvailable:", of: root + "/proc/meminfo").map { $0 << 10 }
        return ([system] + groups(root).map { room(of: $0) }).compactMap { $0 }.min()
    }

    /// The process's own control group and those above it (version 2), and the memory group of version 1.
    private static func groups(_ root: String) -> [String] {
        let mount = root + "/sys/fs/cgroup"
        var own = ""
        for line in text(root + "/proc/self/cgroup").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            if parts.count == 3, parts[0] == "0" { own = String(parts[2]) }
        }
        var groups: [String] = []
        var components = own.split(separator: "/").filter { $0 != ".." }
        while true {
            groups.append(([mount] + components.map { String($0) }).joined(separator: "/"))
            if components.isEmpty { break }
            components.removeLast()
        }
        return groups + [mount + "/memory"]
    }

    /// What a group's limit leaves; what its files take of it can be given back. Nil without a limit.
    private static func room(of group: String) -> Int? {
        for (limit, usage) in [
            ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ] {
            guard let limit = number(group + "/" + limit), let usage = number(group + "/" + usage) else { continue }
            let files = ["inactive_file", "active_file"].compactMap { field($0, of: group + "/memory.stat") }
            return max(0, limit - usage + files.reduce(0, +))
        }
        return nil
    }

    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private static func number(_ path: String) -> Int? {
        Int(text(path).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// The number behind a name at the beginning of a line.
    private static func field(_ name: String, of path: String) -> Int? {
        for line in text(path).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 2, words[0] == name { return Int(words[1]) }
        }
        return nil
    }
}

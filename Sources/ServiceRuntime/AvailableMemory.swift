import Foundation

/// Memory that this process could still take: what the machine has, within what its control group may have.
package enum AvailableMemory {
    /// In bytes; nil where the system does not say.
    package static func bytes() -> Int? { bytes(root: "/") }

    /// - Parameter root: where `proc` and `sys` lie.
    package static func bytes(root: String) -> Int? {
        let limits = [machine(root), group(root)].compactMap { $0 }
        return limits.min()
    }

    /// `MemAvailable` of `/proc/meminfo`.
    private static func machine(_ root: String) -> Int? {
        number("MemAvailable:", in: text(root + "/proc/meminfo")).map { $0 << 10 }
    }

    /// Of the control group (version 2) that a container is: pages of files that are not in use can be had too.
    private static func group(_ root: String) -> Int? {
        let folder = root + "/sys/fs/cgroup/"
        guard let limit = Int(text(folder + "memory.max")), let used = Int(text(folder + "memory.current")) else {
            return nil
        }
        return max(0, limit - used + (number("inactive_file", in: text(folder + "memory.stat")) ?? 0))
    }

    private static func text(_ path: String) -> String {
        let bytes = (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data()
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The number in the line that begins with `name`.
    private static func number(_ name: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split { $0 == " " || $0 == "\t" }
            if words.count >= 2, words[0] == name { return Int(words[1]) }
        }
        return nil
    }
}

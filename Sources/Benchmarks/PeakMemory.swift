internal import Foundation

/// The most memory that this process has had in use at once.
enum PeakMemory {
    /// The process's peak resident set since the start or the last `reset`, as the kernel counts it; 0 where it does not say.
    static var bytes: Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
        }
        return 0
    }

    /// Counts from what is in use now (proc(5), clear_refs); where the kernel does not allow it, from the start.
    static func reset() {
        FileHandle(forWritingAtPath: "/proc/self/clear_refs")?.write(Data("5".utf8))
    }
}

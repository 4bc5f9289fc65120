internal import Foundation

/// The most memory that this process ever had in use at once.
enum PeakMemory {
    /// Its peak resident set, as the kernel counts it; 0 where it does not say.
    static var bytes: Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
        }
        return 0
    }
}

internal import Foundation

/// What a process has used, as /proc tells.
struct ProcessorTime {
    /// Processor time of all its threads, in seconds.
    let seconds: Double
    /// Memory that it holds, in bytes.
    let residentBytes: Int

    /// - Throws: `ServiceBenchmarkError` when there is no such process.
    init(of process: Int32) throws {
        func read(_ file: String) -> String {
            (try? String(contentsOfFile: "/proc/\(process)/\(file)", encoding: .utf8)) ?? ""
        }
        // proc(5): the fields after the name, which stands in parentheses; utime and stime are the 14th and 15th.
        let fields = read("stat").split(separator: ")").last?.split(separator: " ") ?? []
        let pages = read("statm").split(separator: " ").dropFirst().first.flatMap { Int($0) }
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]), let pages else {
            throw ServiceBenchmarkError("process \(process) has ended; run the benchmark again to see what it says")
        }
        seconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        residentBytes = pages * sysconf(Int32(_SC_PAGESIZE))
    }
}

import Foundation
import Glibc

/// Processor time that each kind of process takes, in that of one processor.
struct ProcessorShares: CustomStringConvertible {
    private var seconds: [String: Double] = [:]
    private var elapsed = 0.0

    /// What the processes of a system, and the clients here, take while `body` runs.
    ///
    /// - Parameter limit: measures so long at most.
    static func measured<Result: Sendable>(
        _ system: LocalFleet, for limit: Duration? = nil, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> (Result, ProcessorShares) {
        let start = ContinuousClock.now
        let before = await times(system)
        func shares() async -> ProcessorShares {
            let after = await times(system)
            var shares = ProcessorShares()
            shares.elapsed = (.now - start) / .seconds(1)
            for (kind, time) in after { shares.seconds[kind] = time - before[kind, default: 0] }
            return shares
        }
        async let result = body()
        guard let limit else {
            let result = try await result
            return (result, await shares())
        }
        try await Task.sleep(for: limit)
        let taken = await shares()
        return (try await result, taken)
    }

    /// User and system time since each kind's processes began.
    private static func times(_ system: LocalFleet) async -> [String: Double] {
        var processes = await system.processes.map { (kind: String($0.key.prefix { $0 != " " }), id: $0.value) }
        processes.append(("clients", getpid()))
        var times: [String: Double] = [:]
        for process in processes {
            let line = (try? String(contentsOfFile: "/proc/\(process.id)/stat", encoding: .utf8)) ?? ""
            // The name, which may hold blanks, ends with a bracket; user and system time are the 12th and 13th field behind.
            let fields = line.split(separator: ")").last?.split(separator: " ") ?? []
            let ticks = fields.dropFirst(11).prefix(2).compactMap { Double($0) }.reduce(0, +)
            times[process.kind, default: 0] += ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
        return times
    }

    mutating func add(_ other: ProcessorShares) {
        elapsed += other.elapsed
        seconds.merge(other.seconds, uniquingKeysWith: +)
    }

    var description: String {
        seconds.sorted { $0.key < $1.key }.map { kind, time in
            "\(kind) \(Int((100 * time / max(elapsed, .leastNonzeroMagnitude)).rounded()))%"
        }
        .joined(separator: ", ")
    }
}

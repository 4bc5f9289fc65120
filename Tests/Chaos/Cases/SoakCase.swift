import Foundation
import Synchronization

/// Mixed load for a long time. The second replica of a worker is killed now and then; the first ones and the gateway live
/// as long as the load: their memory is to stay what it is, and so is the number of their descriptors.
struct SoakCase: LocalCase {
    let name = "soak"
    var isLong: Bool { true }

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let expected = try await Load.answers(system).map { Set([$0]) }
        let tally = Tally()
        let watch = ProcessWatch()
        try await tally.underLoad(expected, system) {
            var random = SplitMix(state: 20_261_125)
            let start = ContinuousClock.now
            var nextKill = start + .seconds(10)
            while .now - start < duration {
                try await Task.sleep(for: .seconds(1))
                watch.sample(await system.processes, at: .now - start)
                guard .now >= nextKill else { continue }
                nextKill = .now + .seconds(Int.random(in: 5...20, using: &random))
                let victims = await system.workers.filter { $0.key.hasSuffix(" 2") }.sorted { $0.key < $1.key }
                guard let victim = victims.randomElement(using: &random) else { continue }
                kill(victim.value, SIGKILL)
                tally.count(victim.key)
            }
        }
        for line in watch.lines { tally.note(line) }
        for growth in watch.growths { tally.fail(growth) }
        return tally.result
    }
}

/// Resident memory and descriptors of processes, second by second.
private final class ProcessWatch: Sendable {
    private struct Sample: Sendable {
        var seconds: Double
        var process: Int32
        var memory: Int
        var descriptors: Int
    }

    private let samples = Mutex<[String: [Sample]]>([:])

    func sample(_ processes: [String: Int32], at time: Duration) {
        for (name, process) in processes where !name.hasSuffix(" 2") {
            let status = (try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)) ?? ""
            let fields = status.split(separator: " ")
            guard fields.count > 1, let pages = Int(fields[1]),
                let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
            else { continue }
            let sample = Sample(
                seconds: time / .seconds(1), process: process, memory: (pages * Int(getpagesize())) >> 20,
                descriptors: descriptors)
            samples.withLock { $0[name, default: []].append(sample) }
        }
    }

    /// The median of a stretch of the time, from `start` to `end` of 1.
    private func median(_ samples: [Sample], _ start: Double, _ end: Double, _ value: (Sample) -> Int) -> Int {
        let last = samples.last?.seconds ?? 0
        let part = samples.filter { start * last <= $0.seconds && $0.seconds <= end * last }.map(value).sorted()
        return part.isEmpty ? 0 : part[part.count / 2]
    }

    private static let stretches = [(0.05, 0.1), (0.2, 0.3), (0.45, 0.55), (0.7, 0.8), (0.9, 1.0)]

    /// For each process: medians at five times, and the largest of all.
    var lines: [String] {
        samples.withLock { $0 }.sorted { $0.key < $1.key }.map { name, samples in
            func row(_ value: (Sample) -> Int) -> String {
                Self.stretches.map { "\(median(samples, $0.0, $0.1, value))" }.joined(separator: " → ")
                    + " (most \(samples.map(value).max() ?? 0))"
            }
            return "\(name): MiB \(row(\.memory)); descriptors \(row(\.descriptors))"
        }
    }

    /// What grew from the second stretch to the last by more than a quarter and some room, or started anew.
    var growths: [String] {
        samples.withLock { $0 }.sorted { $0.key < $1.key }.compactMap { name, samples in
            let memory = [0.2...0.3, 0.9...1.0].map { median(samples, $0.lowerBound, $0.upperBound, \.memory) }
            let files = [0.2...0.3, 0.9...1.0].map { median(samples, $0.lowerBound, $0.upperBound, \.descriptors) }
            if Set(samples.map(\.process)).count > 1 { return "\(name) has started anew" }
            if memory[1] > memory[0] * 5 / 4 + 16 { return "\(name) grew from \(memory[0]) to \(memory[1]) MiB" }
            if files[1] > files[0] * 5 / 4 + 8 { return "\(name) had \(files[0]) descriptors, then \(files[1])" }
            return nil
        }
    }
}

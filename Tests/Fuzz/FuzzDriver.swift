import Foundation

/// Runs one target's cases in child processes: one that crashes, hangs or grows is noted, and the next child goes on
/// after it.
struct FuzzDriver {
    struct Finding {
        var target: String
        var number: Int
        var what: String
    }

    struct Outcome {
        var cases = 0
        var findings: [Finding] = []
        var seconds = 0.0
        /// Resident memory at the end of the last child's first tenth, and at its end; in MiB.
        var memory = (early: 0, late: 0)
    }

    var target: String
    var seed: UInt64
    var first = 0
    var count: Int
    private static let findingLimit = 20
    /// Seconds without progress that are a hang.
    var patience = 10
    /// How much larger a child may be at its end than it was early on, and at all, in MiB.
    private static let growth = 64, most = 2_048

    func run() throws -> Outcome {
        var outcome = Outcome()
        let start = Date()
        var next = first
        while next < first + count, outcome.findings.count < Self.findingLimit {
            guard let finding = try child(from: next, &outcome) else {
                outcome.cases += first + count - next
                break
            }
            outcome.findings.append(finding)
            outcome.cases += finding.number + 1 - next
            next = finding.number + 1
        }
        outcome.seconds = Date().timeIntervalSince(start)
        return outcome
    }

    private func child(from start: Int, _ outcome: inout Outcome) throws -> Finding? {
        let progress = NSTemporaryDirectory() + "/nephele-fuzz-\(UUID().uuidString)"
        let errors = progress + ".err"
        defer { for path in [progress, errors] { unlink(path) } }
        try Data().write(to: URL(fileURLWithPath: errors))
        let arguments = [
            "--child", progress, "--target", target, "--seed", "\(seed)", "--first", "\(start)", "--cases",
            "\(first + count - start)",
        ]
        let process = try ChildProcess(arguments, errors: errors)
        defer { try? FileManager.default.removeItem(atPath: "/dev/shm/nephele-fuzz-\(process.id)") }
        var (last, since) = (-1, Date())
        var early: Int?
        var status: Int32?
        while status == nil {
            usleep(20_000)
            status = process.statusIfEnded()
            let now = Self.number(progress) ?? start
            let memory = status == nil ? Self.resident(process.id) : 0
            if now != last { (last, since) = (now, Date()) }
            if early == nil, now - start > min(20_000, max(50, (first + count - start) / 10)) { early = memory }
            if let early, memory > 0 { outcome.memory = (early, memory) }
            // A child that prepares its target has not begun.
            let isHung = Self.number(progress) != nil && Date().timeIntervalSince(since) > Double(patience)
            let isLarge = memory > (early.map { $0 + Self.growth } ?? Self.most) || memory > Self.most
            guard status == nil, isHung || isLarge else { continue }
            kill(process.id, SIGKILL)
            process.wait()
            return Finding(
                target: target, number: now,
                what: isHung ? "no progress in \(patience) s" : "memory grew to \(memory) MiB")
        }
        guard let status, status != 0 else { return nil }
        let text = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
        guard let number = Self.number(progress) else {
            throw FuzzFinding(description: "the target \(target) could not be made: \(text.prefix(600))")
        }
        let how = status & 0x7f == 0 ? "status \(status >> 8)" : "signal \(status & 0x7f)"
        return Finding(target: target, number: number, what: how + ": " + Self.summary(text))
    }

    /// The lines of a crash that say most.
    private static func summary(_ text: String) -> String {
        let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        let telling = lines.filter { line in
            ["Fatal error", "Crash", "case ", "error:", " in "].contains { line.contains($0) }
        }
        return (telling.isEmpty ? lines : telling).prefix(6).joined(separator: " | ").prefix(700).description
    }

    private static func number(_ path: String) -> Int? {
        guard let data = FileManager.default.contents(atPath: path), data.count == 8 else { return nil }
        return Int(data.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// In MiB; 0 where it cannot be told.
    private static func resident(_ process: Int32) -> Int {
        let fields = (try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8))?.split(separator: " ")
        return ((fields.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * Int(getpagesize())) >> 20
    }
}

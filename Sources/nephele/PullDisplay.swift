import ArgumentParser
import Console
import Foundation
import ModelHub
import UnixSignals

/// A pull as people see it: a bar in a terminal, lines now and then elsewhere.
enum PullDisplay {
    /// Fetches a model, and shows how far it is.
    ///
    /// - Throws: `HubError`; `ExitCode` 130 when the user has ended it.
    static func pull(_ reference: HubReference, _ settings: HubSettings) async throws -> PulledModel {
        let progress = PullProgress()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: PulledModel?.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                try await ModelPull(settings).run(reference, progress: progress) { plan in
                    let count = plan.needed.files.count
                    let what = "\(count) \(count == 1 ? "file" : "files"), \(size(plan.needed.byteCount))"
                    let rest =
                        plan.missing.isEmpty
                        ? ", all there already"
                        : plan.missing.count < count ? ", of which \(size(plan.missingBytes)) are still to come" : ""
                    Terminal.line("\(reference.description) is \(what)\(rest) (commit \(plan.commit.prefix(12)))")
                }
            }
            group.addTask {
                try await show(progress)
                return nil
            }
            group.addTask {
                for await _ in signals { break }
                try Task.checkCancellation()
                throw ExitCode(130)
            }
            do {
                let model = try await group.next().flatMap { $0 }
                if Terminal.isInteractive, progress.state.total > 0 { Terminal.line() }
                guard let model else { throw ExitCode.failure }
                return model
            } catch {
                if Terminal.isInteractive { Terminal.line() }
                if error is ExitCode {
                    Terminal.line("ended; what has come is kept, and the same command goes on from it")
                }
                throw error
            }
        }
    }

    /// Until it is cancelled.
    private static func show(_ progress: PullProgress) async throws {
        var told = 0
        var waits: String?
        // What an earlier run had fetched says nothing about the speed.
        var first: (at: ContinuousClock.Instant, bytes: Int)?
        while true {
            try await Task.sleep(for: .milliseconds(200))
            let state = progress.state
            if let file = state.waitsFor, file != waits {
                Terminal.line("\(Terminal.isInteractive ? "\r" : "")another process fetches \(file); waiting for it")
                waits = file
            }
            guard state.total > 0 else { continue }
            if Terminal.isInteractive {
                let start = first ?? (.now, state.received)
                first = start
                let seconds = (ContinuousClock.now - start.at) / .seconds(1)
                let rate = seconds > 1 ? Double(max(0, state.received - start.bytes)) / seconds : nil
                let rest = rate.map { "  \(size(Int($0)))/s" } ?? ""
                let text = "\(size(max(0, state.received))) of \(size(state.total))\(rest)"
                Terminal.write(ProgressBar("pulling").line(state.received, of: state.total, text))
            } else {
                let tenth = max(0, state.received) * 10 / state.total
                if tenth > told { Terminal.line("\(tenth)0 %: \(size(state.received)) of \(size(state.total))") }
                told = max(told, tenth)
            }
        }
    }

    /// Bytes for people.
    static func size(_ bytes: Int) -> String {
        if bytes < 1 << 20 { return "\((bytes + 1_023) >> 10) KiB" }
        let isLarge = bytes >= 1 << 30
        let tenths = (bytes * 10) >> (isLarge ? 30 : 20)
        return "\(tenths / 10).\(tenths % 10) \(isLarge ? "GiB" : "MiB")"
    }
}

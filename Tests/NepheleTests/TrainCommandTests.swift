import Foundation
import Testing

/// `nephele train text` as a process: killed, out of room, and in several processes.
@Suite(.timeLimit(.minutes(10))) struct TrainCommandTests {
    private static let goldens = #filePath.replacing(
        "NepheleTests/TrainCommandTests.swift", with: "TrainingTests/Goldens/")
    private static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("nephele").path
    private static let steps = 40

    /// A run of its own in a folder that goes with it.
    private final class Run {
        let output = FileManager.default.temporaryDirectory.path + "/nephele-train-\(UUID().uuidString)"
        var arguments: [String]

        init(_ more: [String] = []) {
            arguments =
                [
                    "train", "text", "--architecture", "llama", "--layers", "2", "--width", "32", "--heads", "2",
                    "--context", "32", "--tokenizer", goldens + "chat", "--data", goldens + "texts.jsonl", "--output",
                    output, "--steps", "\(steps)", "--batch", "16", "--warm-up", "5", "--checkpoint-every", "7",
                    "--ema", "0.9", "--threads", "1", "--json",
                ] + more
        }

        deinit { try? FileManager.default.removeItem(atPath: output) }

        func files() throws -> [Data] {
            try ["checkpoint.safetensors", "model.safetensors", "ema/model.safetensors"].map {
                try Data(contentsOf: URL(fileURLWithPath: output + "/" + $0))
            }
        }
    }

    private struct Outcome {
        var status: Int32
        /// Of the steps that were told, in their order.
        var steps: [Int]
        var said: String
    }

    /// - Parameters:
    ///   - before: the words of a command that starts the program.
    ///   - end: steps that the process tells of before it is killed.
    private func start(
        _ run: Run, before: [String] = [], _ more: [String] = [], killedAfter end: Int? = nil
    ) async throws -> Outcome {
        let process = Process(), output = Pipe(), errors = Pipe()
        let words = before + [Self.program] + run.arguments + more
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        let identifier = process.processIdentifier
        async let errorText = Self.onThread { errors.fileHandleForReading.readDataToEndOfFile() }
        let told = await Self.onThread {
            var told: [Int] = [], rest = Data()
            while true {
                let more = output.fileHandleForReading.availableData
                if more.isEmpty { return told }
                rest += more
                while let end = rest.firstIndex(of: 10) {
                    let line = try? JSONSerialization.jsonObject(with: rest[..<end]) as? [String: Any]
                    rest = Data(rest[(end + 1)...])
                    if let step = line?["step"] as? Int { told.append(step) }
                }
                if let end, told.count >= end { kill(identifier, SIGKILL) }
            }
        }
        let said = String(decoding: await errorText, as: UTF8.self)
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, steps: told, said: said)
    }

    /// Reads on a thread of its own: behind other tests of a busy pool it would come to kill when all is done.
    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }

    private func whole() async throws -> [Data] {
        let run = Run(), outcome = try await start(run)
        #expect(outcome.status == 0 && outcome.steps == Array(1...Self.steps), "\(outcome.said)")
        return try run.files()
    }

    @Test func `kill -9 at any step changes no bit of the model that a resumed run makes`() async throws {
        let expected = try await whole(), run = Run()
        var seen: Set<Int> = [], kills = 0
        for end in [1, 3, 7, 2, 8, 5] {
            let outcome = try await start(run, ["--resume"], killedAfter: end)
            seen.formUnion(outcome.steps)
            if outcome.status == SIGKILL { kills += 1 }
        }
        let last = try await start(run, ["--resume"])
        #expect(last.status == 0 && kills >= 3, "\(kills) kills; \(last.said)")
        #expect(seen.union(last.steps) == Set(1...Self.steps))
        #expect(try run.files() == expected)
        let again = try await start(run)
        #expect(again.status != 0 && again.said.contains("holds a run already"))
    }

    @Test func `a disk that is full in the midst of a checkpoint ends the run, and what was kept goes on`() async throws
    {
        let expected = try await whole(), run = Run()
        _ = try await start(run, killedAfter: 16)
        let before = try run.files()
        // Files of more than 64 KiB cannot be written: an error, rather than the signal.
        let outcome = try await start(
            run, before: ["/bin/bash", "-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""], ["--resume"])
        #expect(
            outcome.status != 0 && outcome.said.contains("cannot write")
                && outcome.said.contains("what stood there is untouched"), "\(outcome.said)")
        #expect(try run.files() == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: run.output).allSatisfy { !$0.hasSuffix(".part") })
        #expect(try await start(run, ["--resume"]).status == 0)
        #expect(try run.files() == expected)
    }

    @Test(arguments: [
        ([], "one of --architecture, --config and --from"),
        (["--architecture", "gpt2", "--kv-heads", "2"], "--kv-heads is of llama"),
        (["--architecture", "llama", "--width", "30", "--heads", "4"], "--heads 4 does not divide --width 30"),
        (["--from", "/nonexistent", "--layers", "2"], "--layers is of a new model"),
        (["--architecture", "gpt2", "--sample-prompt", "a"], "give it too"),
        (["--architecture", "gpt2", "--held-out", "1"], "--held-out 1.0"),
        (["--architecture", "gpt2", "--batch", "6", "--parts", "4"], "--parts is 4"),
        (["--architecture", "gpt2", "--ema", "1"], "--ema 1.0"), (["--config", "/nonexistent"], "/nonexistent"),
    ]) func `what a command is asked for that cannot be is said`(arguments: [String], message: String) async throws {
        let run = Run()
        run.arguments =
            ["train", "text", "--tokenizer", Self.goldens + "chat", "--data", Self.goldens + "texts.jsonl", "--output"]
            + [run.output] + arguments
        let outcome = try await start(run)
        #expect(outcome.status != 0 && outcome.said.contains(message), "\(outcome.said)")
    }

    private static let mpirun = ["/usr/bin/mpirun", "/usr/local/bin/mpirun"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private func processes(_ count: Int) throws -> [String] {
        [try #require(Self.mpirun), "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "\(count)"]
    }

    @Test(.enabled(if: mpirun != nil, "needs Open MPI's mpirun"))
    func `one, two and four processes make the same bits, and a run that lost one goes on with fewer`() async throws {
        let expected = try await whole()
        for count in [2, 4] {
            let run = Run(), outcome = try await start(run, before: try processes(count))
            #expect(outcome.status == 0 && outcome.steps == Array(1...Self.steps), "\(outcome.said)")
            #expect(try run.files() == expected, "\(count) processes")
        }
        // One of four dies: mpirun ends the others, and two go on.
        let run = Run()
        let ended = try await start(
            run, before: try processes(4) + ["/bin/bash", "-c", Self.dying])
        #expect(ended.status != 0 && (ended.steps.last ?? 0) < Self.steps, "\(ended.steps)")
        let two = try await start(run, before: try processes(2), ["--resume"])
        #expect(two.status == 0 && two.steps.last == Self.steps, "\(two.said)")
        #expect(try run.files() == expected)
        let three = try await start(Run(), before: try processes(3))
        #expect(three.status != 0 && three.said.contains("cannot share 4 parts"), "\(three.said)")
    }

    /// Kills the third process once the run has a checkpoint.
    private static let dying = """
        if [ "$OMPI_COMM_WORLD_RANK" = 2 ]; then "$0" "$@" & own=$!; out=; for word in "$@"; do
        [ "$out" = next ] && out=$word; [ "$word" = --output ] && out=next; done
        until [ -e "$out/model.safetensors" ]; do read -t 0.02 < <(:); done; kill -9 $own; exit 1; fi; exec "$0" "$@"
        """
}

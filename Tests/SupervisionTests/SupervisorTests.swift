import Foundation
import Logging
import Supervision
import Testing

private func shell(_ name: String, _ script: String, socketStem: String? = nil) -> SupervisedService {
    SupervisedService(
        name: name, executable: URL(fileURLWithPath: "/bin/sh"), arguments: ["-c", script, name], socketStem: socketStem
    )
}

/// What services say, line by line.
private final class Listener: Sendable {
    private let pipe = Pipe()
    let lines: AsyncStream<String>

    var output: Supervisor.Output { .file(pipe.fileHandleForWriting) }

    init() {
        let (lines, continuation) = AsyncStream<String>.makeStream()
        self.lines = lines
        // A line is one write of a shell's `echo`, and so one read.
        pipe.fileHandleForReading.readabilityHandler = { handle in
            for line in String(decoding: handle.availableData, as: UTF8.self).split(separator: "\n") {
                continuation.yield(String(line))
            }
        }
    }

    deinit { pipe.fileHandleForReading.readabilityHandler = nil }
}

@Suite(.timeLimit(.minutes(10))) struct SupervisorTests {
    private static let quiet = Supervisor.Output.file(FileHandle.nullDevice)

    @Test func `what dies starts again with a socket of its own, and all stops`() async throws {
        let directory = try RunDirectory()
        defer { directory.remove() }
        // A path of its own may hold whatever a placeholder would look like.
        let stem = directory.path + "/worker%{socket}"
        let service = shell("worker", "echo \"$$ $*\"; exec sleep 1000", socketStem: stem)
        let listener = Listener()
        let supervisor = Supervisor([service], output: listener.output, logger: Logger(label: "test"))
        let run = Task { try await supervisor.run() }
        var said = listener.lines.makeAsyncIterator()
        let first = try #require(await said.next())
        await supervisor.becameReady()
        let pid = try #require(first.split(separator: " ").first.flatMap { pid_t($0) })
        #expect(first.hasSuffix(" --bind ipc://\(stem)-1.sock"))
        kill(pid, SIGKILL)
        let second = try #require(await said.next())
        #expect(second.hasSuffix(" --bind ipc://\(stem)-2.sock"))
        await supervisor.stop(grace: .seconds(10))
        try await run.value
        let last = try #require(second.split(separator: " ").first.flatMap { pid_t($0) })
        #expect(kill(last, 0) == -1)
    }

    @Test func `a service that dies before the system was ready ends the run by its name`() async throws {
        let services = [shell("lasting", "exec sleep 1000"), shell("broken", "exit 7")]
        let supervisor = Supervisor(services, output: Self.quiet, logger: Logger(label: "test"))
        let error = await #expect(throws: SupervisionError.self) { try await supervisor.run() }
        #expect(error?.message.contains("broken ended with status 7") == true)
    }

    @Test func `a dispensable service that dies before the system was ready is missed, and ends nothing`() async throws
    {
        var broken = shell("broken", "exit 7")
        broken.isDispensable = true
        let supervisor = Supervisor(
            [shell("lasting", "exec sleep 1000"), broken], output: Self.quiet, logger: Logger(label: "test"))
        let run = Task { try await supervisor.run() }
        while await supervisor.fallen.isEmpty { await Task.yield() }
        #expect(await supervisor.fallen == ["broken"])
        #expect(await supervisor.processIdentifiers["lasting"] != nil)
        await supervisor.stop(grace: .seconds(10))
        try await run.value
    }

    @Test func `what ignores SIGTERM is killed after its grace`() async throws {
        let service = shell("deaf", "trap '' TERM; echo $$; while :; do sleep 0.05; done")
        let listener = Listener()
        let supervisor = Supervisor([service], output: listener.output, logger: Logger(label: "test"))
        let run = Task { try await supervisor.run() }
        var said = listener.lines.makeAsyncIterator()
        let line = try #require(await said.next())
        let pid = try #require(pid_t(line))
        await supervisor.becameReady()
        await supervisor.stop(grace: .milliseconds(100))
        try await run.value
        #expect(kill(pid, 0) == -1)
    }

    @Test func `an executable that is not there is named`() async throws {
        let service = SupervisedService(
            name: "ghost", executable: URL(fileURLWithPath: "/nowhere/nephele-ghost"), arguments: [])
        let supervisor = Supervisor([service], output: Self.quiet, logger: Logger(label: "test"))
        let error = await #expect(throws: SupervisionError.self) { try await supervisor.run() }
        #expect(error?.message.contains("/nowhere/nephele-ghost") == true)
    }
}

import Foundation
import Logging
import Supervision
import Testing

private func shell(_ name: String, _ script: String, _ arguments: String..., socket: String? = nil) -> SupervisedService
{
    SupervisedService(
        name: name, executable: URL(fileURLWithPath: "/bin/sh"), arguments: ["-c", script, name] + arguments,
        socket: socket)
}

/// The lines of a file, as soon as there are `count`.
private func lines(of path: String, count: Int) async throws -> [String] {
    while true {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n").map { String($0) }
        if lines.count >= count { return lines }
        try await Task.sleep(for: .milliseconds(5))
    }
}

@Suite(.timeLimit(.minutes(1))) struct SupervisorTests {
    private static func quiet() -> Supervisor.Output { .file(FileHandle.nullDevice) }

    @Test func `what dies starts again with a socket of its own, and all stops`() async throws {
        let directory = try RunDirectory()
        defer { directory.remove() }
        let log = directory.path + "/log"
        let service = shell(
            "worker", "echo \"$$ $1\" >>\"$2\"; exec sleep 1000", "{socket}", log,
            socket: directory.path + "/worker-%.sock")
        let supervisor = Supervisor([service], output: Self.quiet(), logger: Logger(label: "test"))
        let run = Task { try await supervisor.run() }
        let first = try await lines(of: log, count: 1)
        await supervisor.becameReady()
        let pid = try #require(first[0].split(separator: " ").first.flatMap { pid_t($0) })
        #expect(first[0].hasSuffix("worker-1.sock"))
        kill(pid, SIGKILL)
        let second = try await lines(of: log, count: 2)
        #expect(second[1].hasSuffix("worker-2.sock"))
        await supervisor.stop(grace: .seconds(10))
        try await run.value
        let last = try #require(second[1].split(separator: " ").first.flatMap { pid_t($0) })
        #expect(kill(last, 0) == -1)
    }

    @Test func `a service that dies before the system was ready ends the run by its name`() async throws {
        let services = [shell("lasting", "exec sleep 1000"), shell("broken", "exit 7")]
        let supervisor = Supervisor(services, output: Self.quiet(), logger: Logger(label: "test"))
        let error = await #expect(throws: SupervisionError.self) { try await supervisor.run() }
        #expect(error?.message.contains("broken ended with status 7") == true)
    }

    @Test func `what ignores SIGTERM is killed after its grace`() async throws {
        let directory = try RunDirectory()
        defer { directory.remove() }
        let log = directory.path + "/log"
        let service = shell("deaf", "trap '' TERM; echo $$ >>\"$1\"; while :; do sleep 0.05; done", log)
        let supervisor = Supervisor([service], output: Self.quiet(), logger: Logger(label: "test"))
        let run = Task { try await supervisor.run() }
        let pid = try #require(pid_t(try await lines(of: log, count: 1)[0]))
        await supervisor.becameReady()
        await supervisor.stop(grace: .milliseconds(100))
        try await run.value
        #expect(kill(pid, 0) == -1)
    }

    @Test func `an executable that is not there is named`() async throws {
        let service = SupervisedService(
            name: "ghost", executable: URL(fileURLWithPath: "/nowhere/nephele-ghost"), arguments: [])
        let supervisor = Supervisor([service], output: Self.quiet(), logger: Logger(label: "test"))
        let error = await #expect(throws: SupervisionError.self) { try await supervisor.run() }
        #expect(error?.message.contains("/nowhere/nephele-ghost") == true)
    }
}

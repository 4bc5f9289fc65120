import Benchmarks
import Foundation
import Messages
import RPC
import Testing
import ZeroMQTransport

/// With a server in another process.
@Suite(.timeLimit(.minutes(5)))
struct ProcessTests {
    /// The executable that serves for the benchmark stands beside the tests'.
    private func executable() throws -> URL {
        let bundle = try #require(CommandLine.arguments.first { $0.contains(".xctest") }, "no test bundle in arguments")
        var folder = URL(fileURLWithPath: bundle)
        while folder.pathComponents.count > 1 {
            folder.deleteLastPathComponent()
            let candidate = folder.appendingPathComponent("nephele")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
        }
        throw CocoaError(.fileNoSuchFile)
    }

    @Test("SIGKILL in mid-stream is UNAVAILABLE, not a hang", arguments: [TestedTransport.ipc, .tcp])
    func killed(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let other = try BusBenchmark.OtherProcess(executable: try executable(), "bus", fixture.freshEndpoint)
        let client = try fixture.client(other.address)
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1_000_000_000, payloadSize: 100))
        for _ in 0..<10 { #expect(try await stream.next() != nil) }
        other.kill()
        var error: RPCError?
        do {
            while try await stream.next() != nil {}
            Issue.record("the stream ended well")
        } catch {
            if let caught = error as? RPCError { #expect(caught.code == .unavailable && !caught.notStarted) }
        }
        try await client.waitUntil { $0.isEmpty }
        var options = CallOptions()
        options.waitsForReady = false
        error = await rpcError { try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options) }
        #expect(error?.code == .unavailable && error?.notStarted == true)
    }

    @Test("a frozen server is silence: its calls fail, and it is found again when it thaws")
    func frozen() async throws {
        var timing = BusTiming()
        timing.heartbeat = .milliseconds(50)
        timing.silence = .milliseconds(500)
        let fixture = try Fixture(.ipc, timing: timing)
        let other = try BusBenchmark.OtherProcess(executable: try executable(), "bus", fixture.freshEndpoint)
        let client = try fixture.client(other.address)
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1_000_000_000))
        _ = try await stream.next()
        kill(other.identifier, SIGSTOP)
        let error = await rpcError { while try await stream.next() != nil {} }
        #expect(error?.code == .unavailable)
        kill(other.identifier, SIGCONT)
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [3])).message.payload == [3])
    }

    @Test("ipc patterns find sockets that come and go")
    func pattern() async throws {
        var timing = BusTiming()
        timing.resolve = .milliseconds(20)
        let fixture = try Fixture(.ipc, timing: timing)
        let folder = fixture.directory.path
        let target = "ipc://\(folder)/echo-*.sock"
        let client = try RPCClient(target: target, transport: fixture.transport, timing: timing)
        let (first, _) = try fixture.serve(at: "ipc://\(folder)/echo-a.sock")
        _ = try fixture.serve(at: "ipc://\(folder)/other-a.sock")
        try await client.waitUntil { $0.map(\.id) == [first.description.instanceID] }
        let (second, _) = try fixture.serve(at: "ipc://\(folder)/echo-b.sock")
        try await client.waitUntil { $0.count == 2 }
        first.stop()
        try await client.waitUntil { $0.map(\.id) == [second.description.instanceID] }
        second.stop()
    }

    @Test("dns names are asked again and again")
    func names() async throws {
        var timing = BusTiming()
        timing.resolve = .milliseconds(20)
        let fixture = try Fixture(.tcp, timing: timing)
        let (server, address) = try fixture.serve()
        defer { server.stop() }
        let port = try #require(address.split(separator: ":").last)
        let calls = Calls()
        let client = try RPCClient(
            target: "dns://text-shard-1:\(port)", transport: fixture.transport,
            lookup: { name in
                guard name == "text-shard-1", calls.next() > 3 else { throw HostNotYetKnown() }
                return ["127.0.0.1"]
            }, timing: timing)
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [1])).message.payload == [1])
    }
}

private struct HostNotYetKnown: Error {}

private final class Calls: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    func next() -> Int {
        lock.withLock {
            count += 1
            return count
        }
    }
}

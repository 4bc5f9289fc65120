import Concurrency
import Foundation
import Messages
import Synchronization
import Testing

@testable import RPC

@Suite struct ResolverTests {
    @Test(arguments: [
        ("text-model-a.sock", "text-model-*.sock", true), ("text-model-.sock", "text-model-*.sock", true),
        ("text-model-a.sock.lock", "text-model-*.sock", false), ("other-a.sock", "text-model-*.sock", false),
        ("abc", "*", true), ("", "*", true), ("abc", "a*b*c", true), ("acb", "a*b*c", false), ("a", "", false),
    ])
    func `a socket name matches its pattern`(_ name: String, _ pattern: String, _ matches: Bool) {
        #expect(SocketFileResolver.matches(name[...], pattern[...]) == matches)
    }

    @Test func `targets become addresses`() throws {
        let lookup: @Sendable (String) throws -> [String] = { $0 == "two" ? ["10.0.0.2", "10.0.0.1", "10.0.0.1"] : [] }
        #expect(
            try Target.resolver("dns://two:7002", lookup: lookup).resolve() == [
                "tcp://10.0.0.1:7002", "tcp://10.0.0.2:7002",
            ])
        #expect(try Target.resolver("dns://none:7002", lookup: lookup).resolve() == [])
        #expect(try Target.resolver("ipc:///run/a.sock", lookup: lookup).resolve() == ["ipc:///run/a.sock"])
        #expect(try Target.resolver("inproc://a", lookup: lookup).resolve() == ["inproc://a"])
    }

    @Test(arguments: ["", "a", "http://a:1", "dns://a", "dns://:1", "tcp://a:70000", "tcp://a:b", "ipc://a.sock"])
    func `other targets are refused`(_ target: String) {
        let error = #expect(throws: RPCError.self) { try Target.resolver(target, lookup: { _ in [] }) }
        #expect(error?.code == .invalidArgument)
    }
}

@Suite(.timeLimit(.minutes(10))) struct SlowResolverTests {
    /// A name server that does not answer.
    private final class Silence: Resolver {
        private let gate = DispatchSemaphore(value: 0)

        func resolve() throws -> [String] {
            gate.wait()
            return []
        }

        func end() { for _ in 0..<1_000 { gate.signal() } }
    }

    @Test func `a name that takes long to resolve makes no call wait beyond its time`() async throws {
        let silence = Silence()
        defer { silence.end() }
        let network = try InProcessNetwork()
        let client = try RPCClient(target: "a", resolver: silence, transport: network.client)
        defer { client.close() }
        // The name server does not answer before the call has ended.
        let error = await #expect(throws: RPCError.self) {
            try await client.waitUntil(timeout: .milliseconds(200)) { !$0.isEmpty }
        }
        #expect(error?.code == .unavailable)
    }

    @Test func `a client that was closed ends its threads, the one that resolves when it has its answer`() async throws
    {
        let network = try InProcessNetwork()
        weak var held: Silence?
        for isLate in [false, true] {
            var end: @Sendable () -> Void = {}
            do {
                let silence = Silence()
                held = silence
                end = { [weak silence] in silence?.end() }
                if !isLate { silence.end() }
                let client = try RPCClient(target: "a", resolver: silence, transport: network.client)
                // By then the first name is being resolved.
                _ = try? await client.waitUntil(timeout: .milliseconds(50)) { !$0.isEmpty }
                client.close()
            }
            if isLate {
                #expect(held != nil)
                end()
            }
            let limit = ContinuousClock.now + .seconds(20)
            while held != nil, .now < limit { try await Task.sleep(for: .milliseconds(5)) }
            #expect(held == nil)
        }
    }
}

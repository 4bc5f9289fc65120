import Benchmarks
import Foundation
import Messages
import RPC
import Synchronization
import Testing
import ZeroMQ

@testable import ZeroMQTransport

/// Who is let in, who is not, and what each side says about it.
@Suite(.timeLimit(.minutes(3)), .serialized)
struct BusKeyTests {
    private let folder = KeyFolder()

    /// A server with the keys of `name`, and what it refused.
    private final class Served: Sendable {
        let server: RPCServer
        let address: String
        private let transport: ZeroMQTransport
        private let refusals: RefusalRecord

        init(_ keys: BusKeys?, endpoint: String = "tcp://127.0.0.1:*") throws {
            let record = RefusalRecord()
            refusals = record
            transport = try ZeroMQTransport(keys: keys, onRefusal: { record.add($0) })
            server = RPCServer(
                ServiceDescription(service: "echo"), services: [EchoService()],
                transports: [transport.server(endpoint, allowsInsecure: false)])
            address = try server.start()[0]
        }

        deinit { server.stop() }

        func refusal(where isMet: @escaping @Sendable (Refusal) -> Bool) async throws -> Refusal {
            try await refusals.first(where: isMet)
        }
    }

    /// What a call says whose client never gets in.
    private func problem(_ client: RPCClient) async -> RPCError? {
        var options = CallOptions()
        options.timeout = .seconds(2)
        return await rpcError { try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options) }
    }

    /// The server still serves whoever is on the list.
    private func expectLife(_ served: Served, _ keys: BusKeys?) async throws {
        let client = try RPCClient(target: served.address, transport: ZeroMQTransport(keys: keys))
        defer { client.close() }
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [7])).message.payload == [7])
    }

    @Test func `keys are files that only their owner reads, and a second run keeps them`() throws {
        let ring = KeyRing(directory: folder.path)
        #expect(try ring.update(["gateway", "text-model"]).map(\.kind) == [.made, .made])
        let path = folder.path + "/gateway/bus.key"
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(try ring.update(["gateway", "diffusion"]).map(\.kind) == [.made, .kept, .kept])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        let lists = try ["gateway", "text-model", "diffusion"].map { try folder.list($0) }
        #expect(Set(lists).count == 1)
        let secret = try #require(text.split(separator: "\n").last?.split(separator: " ").last)
        #expect(!lists[0].contains(secret))
        #expect(throws: RPCError.self) { try ring.update(["../elsewhere"]) }
    }

    @Test func `lines added by hand stay, and a revoked key goes by whatever name`() throws {
        let ring = KeyRing(directory: folder.path)
        _ = try ring.update(["gateway", "old"])
        let old = try #require(try folder.publicKey("old"))
        try folder.write(
            try folder.list("gateway") + "10.0.0.7 \(old)\nfriend \(CurveKeyPair().publicKey)\n", "gateway")
        #expect(try ring.update([], revoking: ["old"]).first == KeyRing.Change(name: "old", kind: .revoked))
        let list = try folder.list("gateway")
        #expect(!list.contains(old) && list.contains("friend ") && list.contains("gateway "))
    }

    @Test func `a gateway with keys calls a service with keys`() async throws {
        let (gateway, model) = (try folder.keys("gateway"), try folder.keys("text-model"))
        let served = try Served(model, endpoint: "tcp://0.0.0.0:*")
        let port = try #require(served.address.split(separator: ":").last)
        let client = try RPCClient(
            target: "dns://text-model.example.org:\(port)", transport: ZeroMQTransport(keys: gateway),
            lookup: { _ in ["127.0.0.1"] })
        defer { client.close() }
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [1])).message.payload == [1])
    }

    @Test func `a peer without keys is refused, and both sides say so`() async throws {
        let model = try folder.keys("text-model")
        let served = try Served(model)
        let client = try RPCClient(target: served.address, transport: ZeroMQTransport())
        defer { client.close() }
        let error = await problem(client)
        #expect(error?.message.contains("NEPHELE_BUS_KEYS") == true, "\(error?.message ?? "no error")")
        // The client dials again and again; of one whose connection has gone already no address is known.
        _ = try await served.refusal {
            $0.reason == .otherMechanism(hasKeys: true) && $0.address == "127.0.0.1"
        }
        try await expectLife(served, model)
    }

    @Test func `a service without keys says so to a peer that has some`() async throws {
        let served = try Served(nil)
        let client = try RPCClient(
            target: served.address, transport: ZeroMQTransport(keys: try folder.keys("gateway")))
        defer { client.close() }
        #expect(await problem(client)?.message.contains("has no keys") == true)
        _ = try await served.refusal { $0.reason == .otherMechanism(hasKeys: false) }
        try await expectLife(served, nil)
    }

    @Test func `a key that is not on the list is refused, until it is on it`() async throws {
        let model = try folder.keys("text-model")
        let served = try Served(model)
        // A ring of its own, that knows the server.
        let strangers = KeyFolder()
        _ = try KeyRing(directory: strangers.path).update(["stranger"])
        let address = try #require(Loopback.host(of: served.address))
        try strangers.write(
            try strangers.list("stranger") + "\(address) \(folder.publicKey("text-model") ?? "")\n", "stranger")
        let stranger = try BusKeys(directory: strangers.path + "/stranger")
        let client = try RPCClient(target: served.address, transport: ZeroMQTransport(keys: stranger))
        defer { client.close() }
        #expect(await problem(client)?.message.contains("allowed.keys") == true)
        let key = try #require(try strangers.publicKey("stranger"))
        let refusal = try await served.refusal { $0.reason == .notListed(key) }
        #expect(refusal.address == "127.0.0.1")
        try await expectLife(served, model)
        try folder.write(try folder.list("text-model") + "stranger \(key)\n", "text-model")
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [3])).message.payload == [3])
        // And off again: its connection ends.
        let without = try folder.list("text-model").split(separator: "\n").filter { !$0.hasPrefix("stranger") }
        try folder.write(without.joined(separator: "\n") + "\n", "text-model")
        _ = try await served.refusal { $0.reason == .revoked(key) }
        // The first call may still have gone into the connection that ends.
        #expect(await problem(client) != nil)
        #expect(await problem(client)?.message.contains("allowed.keys") == true)
        try await expectLife(served, model)
    }

    @Test func `a server with another key than the list says is not spoken to`() async throws {
        let (model, other) = (try folder.keys("text-model"), try folder.keys("diffusion"))
        let served = try Served(model)
        let port = try #require(served.address.split(separator: ":").last)
        let client = try RPCClient(
            target: "dns://diffusion:\(port)", transport: ZeroMQTransport(keys: other), lookup: { _ in ["127.0.0.1"] })
        defer { client.close() }
        #expect(await problem(client)?.message.contains("for diffusion") == true)
        _ = try await served.refusal { $0.reason == .wrongServerKey }
        try await expectLife(served, model)
    }

    @Test func `a name that is not on the list is not called`() async throws {
        let client = try RPCClient(
            target: "dns://unknown:7002", transport: ZeroMQTransport(keys: try folder.keys("gateway")),
            lookup: { _ in ["127.0.0.1"] })
        defer { client.close() }
        let message = await problem(client)?.message ?? ""
        #expect(message.contains("no key is known for unknown") && message.contains("/gateway/allowed.keys"))
    }

    @Test func `a list that becomes malformed leaves the last one in force`() async throws {
        let model = try folder.keys("text-model")
        let served = try Served(model)
        try await expectLife(served, model)
        try folder.write("text-model nonsense\n", "text-model")
        // Longer than the list goes unread.
        let end = ContinuousClock.now + .seconds(1)
        repeat { try await expectLife(served, model) } while .now < end
    }

    @Test func `a list behind a link is read again when the link is turned, as Kubernetes does`() async throws {
        _ = try folder.keys("text-model")
        let list = try folder.list("text-model")
        let home = folder.path + "/text-model"
        let friend = try CurveKeyPair().publicKey
        let files = FileManager.default
        for (version, text) in [("v1", list), ("v2", list + "friend \(friend)\n")] {
            try files.createDirectory(atPath: "\(home)/\(version)", withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(home)/\(version)/allowed.keys"))
        }
        try files.removeItem(atPath: home + "/allowed.keys")
        try files.createSymbolicLink(atPath: home + "/current", withDestinationPath: "v1")
        try files.createSymbolicLink(atPath: home + "/allowed.keys", withDestinationPath: "current/allowed.keys")
        let keys = try BusKeys(directory: home)
        #expect(!keys.admits(friend))
        try files.removeItem(atPath: home + "/current")
        try files.createSymbolicLink(atPath: home + "/current", withDestinationPath: "v2")
        while !keys.admits(friend) {
            #expect(keys.refresh() == nil)
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test func `garbage instead of a handshake ends that connection alone`() async throws {
        let model = try folder.keys("text-model")
        let served = try Served(model)
        let port = try #require(UInt16(served.address.split(separator: ":").last ?? ""))
        var random = SystemRandomNumberGenerator()
        let greeting =
            [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0] + Array("CURVE".utf8) + [UInt8](repeating: 0, count: 47)
        for round in 0..<200 {
            let noise = (0..<Int.random(in: 1...600)).map { _ in UInt8.random(in: 0...255, using: &random) }
            // From nothing at all like it, through a HELLO of noise, to one with the right name.
            let hello: [UInt8] = [4, 200, 5] + Array("HELLO".utf8) + noise.prefix(194)
            let bytes = [noise, greeting + noise, greeting + hello][round % 3]
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                Thread.detachNewThread {
                    continuation.resume(
                        with: Result {
                            let peer = try RawPeer(port: port)
                            peer.send(bytes)
                        })
                }
            }
        }
        try await expectLife(served, model)
        #expect(served.server.refusedPeers == 0)
    }

    @Test(
        "files that hold no keys are refused by name",
        arguments: [
            "", "name x\n", "name x\npublic a\nsecret b\n", "nonsense\n", "name x\nname x\n", "\u{0}\u{1}",
            "name x y\n",
        ])
    func malformedKeyFile(_ text: String) throws {
        _ = try folder.keys("text-model")
        let path = folder.path + "/text-model/bus.key"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: RPCError.self) { try BusKeys(directory: folder.path + "/text-model") }
        #expect(error?.message.contains(path) == true)
        #expect(throws: RPCError.self) { try BusKeys(directory: folder.path + "/nobody") }
    }

    @Test func `halves that do not belong together are no key pair, and nothing prints the secret`() throws {
        let (one, other) = (try CurveKeyPair(), try CurveKeyPair())
        #expect(CurveKeyPair(publicText: one.publicKey.text, secretText: one.secretText) != nil)
        #expect(CurveKeyPair(publicText: one.publicKey.text, secretText: other.secretText) == nil)
        var dumped = ""
        dump(one, to: &dumped)
        #expect(!"\(one) \(String(reflecting: one)) \(dumped)".contains(one.secretText))
    }

    @Test func `refusals make a line a second, and the next tells how many there were`() {
        let log = RefusalLog(observer: nil)
        let refusal = Refusal(address: "10.0.0.9", reason: .wrongServerKey)
        let start = ContinuousClock.now + .seconds(10)
        #expect(log.line(refusal, now: start)?.contains("10.0.0.9") == true)
        for step in 1...500 { #expect(log.line(refusal, now: start + .milliseconds(step)) == nil) }
        #expect(log.line(refusal, now: start + .milliseconds(1001))?.hasSuffix("500 more since the last line") == true)
        #expect(log.line(refusal, now: start + .milliseconds(2002))?.contains("more since") == false)
    }
}

/// A directory of keys for one test.
private final class KeyFolder: Sendable {
    let path = FileManager.default.temporaryDirectory.path + "/nph-keys-\(UInt32.random(in: 0 ... .max))"

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Those of a name, known to all others of this folder.
    func keys(_ name: String) throws -> BusKeys {
        _ = try KeyRing(directory: path).update(["gateway", "text-model", "diffusion"])
        return try BusKeys(directory: "\(path)/\(name)")
    }

    func list(_ name: String) throws -> String {
        try String(contentsOfFile: "\(path)/\(name)/allowed.keys", encoding: .utf8)
    }

    func write(_ list: String, _ name: String) throws {
        try Data(list.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)/allowed.keys"), options: .atomic)
    }

    func publicKey(_ name: String) throws -> String? {
        try list(name).split(separator: "\n").first { $0.hasPrefix(name + " ") }
            .flatMap { $0.split(separator: " ").last.map { String($0) } }
    }
}

/// What a server refused, for whoever waits for it.
private final class RefusalRecord: Sendable {
    private struct State {
        var all: [Refusal] = []
        var waiters: [AsyncStream<Refusal>.Continuation] = []
    }

    private let state = Mutex(State())

    func add(_ refusal: Refusal) {
        state.withLock { state in
            state.all.append(refusal)
            for waiter in state.waiters { waiter.yield(refusal) }
        }
    }

    /// Waits for it as long as the test may take.
    func first(where isMet: (Refusal) -> Bool) async throws -> Refusal {
        let (stream, continuation) = AsyncStream<Refusal>.makeStream()
        state.withLock { state in
            for refusal in state.all { continuation.yield(refusal) }
            state.waiters.append(continuation)
        }
        for await refusal in stream where isMet(refusal) { return refusal }
        throw CancellationError()
    }
}

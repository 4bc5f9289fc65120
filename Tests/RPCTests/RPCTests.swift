import Concurrency
import Foundation
import Messages
import Synchronization
import Testing

@testable import RPC

@Suite struct ResolverTests {
    @Test(
        "a socket name matches its pattern",
        arguments: [
            ("text-model-a.sock", "text-model-*.sock", true), ("text-model-.sock", "text-model-*.sock", true),
            ("text-model-a.sock.lock", "text-model-*.sock", false), ("other-a.sock", "text-model-*.sock", false),
            ("abc", "*", true), ("", "*", true), ("abc", "a*b*c", true), ("acb", "a*b*c", false), ("a", "", false),
        ])
    func patterns(_ name: String, _ pattern: String, _ matches: Bool) {
        #expect(SocketFileResolver.matches(name[...], pattern[...]) == matches)
    }

    @Test("targets become addresses")
    func targets() throws {
        let lookup: @Sendable (String) throws -> [String] = { $0 == "two" ? ["10.0.0.2", "10.0.0.1", "10.0.0.1"] : [] }
        #expect(
            try Target.resolver("dns://two:7002", lookup: lookup).resolve() == [
                "tcp://10.0.0.1:7002", "tcp://10.0.0.2:7002",
            ])
        #expect(try Target.resolver("dns://none:7002", lookup: lookup).resolve() == [])
        #expect(try Target.resolver("ipc:///run/a.sock", lookup: lookup).resolve() == ["ipc:///run/a.sock"])
        #expect(try Target.resolver("inproc://a", lookup: lookup).resolve() == ["inproc://a"])
    }

    @Test(
        "other targets are refused",
        arguments: ["", "a", "http://a:1", "dns://a", "dns://:1", "tcp://a:70000", "tcp://a:b", "ipc://a.sock"])
    func badTargets(_ target: String) {
        let error = #expect(throws: RPCError.self) { try Target.resolver(target, lookup: { _ in [] }) }
        #expect(error?.code == .invalidArgument)
    }
}

@Suite(.timeLimit(.minutes(1))) struct SlowResolverTests {
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

@Suite struct BalancerTests {
    @Test("of two the less loaded one is always chosen; of many a busy one only against a busier one")
    func powerOfTwo() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            #expect(Balancer.choose([4, 9], { $0 == 4 ? 1 : 0 }, using: &random) == 9)
            #expect(Balancer.choose([0, 1, 2], { Double($0) }, using: &random) != 2)
        }
        #expect(Balancer.choose([], { _ in 0 }, using: &random) == nil)
        #expect(Balancer.choose([3], { _ in 9 }, using: &random) == 3)
    }

    @Test("a key keeps its instance when another one leaves, and leaves an overloaded one")
    func rendezvous() throws {
        let ids = (0..<5).map { "instance-\($0)" }
        for key in UInt8(0)..<50 {
            let all = try #require(Balancer.choose([0, 1, 2, 3, 4], affinity: [key], id: { ids[$0] }, { _ in 0 }))
            let gone = (all + 1) % 5
            let rest = (0..<5).filter { $0 != gone }
            #expect(Balancer.choose(rest, affinity: [key], id: { ids[$0] }, { _ in 0 }) == all)
            let other = Balancer.choose([0, 1, 2, 3, 4], affinity: [key], id: { ids[$0] }, { $0 == all ? 100 : 1 })
            #expect(other != all)
        }
    }
}

/// Keeps what is sent.
private final class Recorder: FrameLink {
    func tickSoon() {}

    private let frames = Mutex<[(FrameHeader, Int)]>([])

    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool) {
        let size = body.withSpan { $0.byteCount }
        guard let header = try? FrameHeader(decoding: header) else { return }
        frames.withLock { $0.append((header, size)) }
    }

    func close() {}

    func take() -> [(header: FrameHeader, size: Int)] {
        frames.withLock { frames in
            defer { frames = [] }
            return frames.map { (header: $0.0, size: $0.1) }
        }
    }
}

@Suite struct CallTableTests {
    private func table(_ limits: BusLimits, _ calls: UInt64...) -> CallTable<UInt64> {
        var table = CallTable<UInt64>(limits: limits)
        for call in calls {
            table.insert(
                call,
                .init(
                    owner: call, outbound: OutboundStream(creditMessages: 100, creditBytes: 1 << 30),
                    inbound: InboundStream(), deadline: nil))
        }
        return table
    }

    @Test("calls take turns with their chunks and the window holds them back")
    func turns() {
        var limits = BusLimits()
        limits.chunkBytes = 10
        limits.chunkWindowBytes = 40
        var table = table(limits, 1, 2)
        let link = Recorder()
        for call in [UInt64(1), 2] {
            let attachment = Attachment(count: 30)
            _ = table.send(
                call, OutboundItem(content: .message(attachmentSizes: [30]), body: [], attachments: [attachment]), link)
        }
        _ = table.pumpChunks(link)
        #expect(link.take().map(\.header.call) == [1, 2, 1, 2, 1, 2])
        table.addChunkCredit(15)
        _ = table.pumpChunks(link)
        let rest = link.take()
        #expect(rest.map(\.header.call) == [1, 2])
        #expect(rest.map(\.size) == [10, 5])
        // A message behind its predecessor's chunks waits for them.
        _ = table.send(2, OutboundItem(content: .message(attachmentSizes: []), body: [1]), link)
        #expect(link.take().isEmpty)
        table.addChunkCredit(40)
        _ = table.pumpChunks(link)
        #expect(link.take().map(\.header.sequence) == [4, 5])
    }

    @Test("without credit messages wait; an end needs none but keeps its place")
    func credit() {
        var table = CallTable<Int>(limits: BusLimits())
        table.insert(
            1,
            .init(
                owner: 0, outbound: OutboundStream(creditMessages: 1, creditBytes: 10), inbound: InboundStream(),
                deadline: nil))
        let link = Recorder()
        for _ in 0..<2 { _ = table.send(1, OutboundItem(content: .message(attachmentSizes: []), body: [1, 2]), link) }
        _ = table.send(1, OutboundItem(content: .end(CallEnd(code: 0)), body: []), link)
        #expect(link.take().count == 1)
        #expect(table.waiting(1) == 2)
        table.addCredit(1, messages: 1, bytes: 2)
        _ = table.pump(1, link)
        #expect(link.take().count == 2)
    }

    @Test("deadlines expire in order and only once")
    func deadlines() {
        var table = CallTable<UInt64>(limits: BusLimits())
        let now = MonotonicInstant.now
        for call in UInt64(1)...3 {
            table.insert(
                call,
                .init(
                    owner: call, outbound: OutboundStream(creditMessages: 0, creditBytes: 0), inbound: InboundStream(),
                    deadline: now + .seconds(Int(call))))
        }
        #expect(table.expire(now).isEmpty)
        #expect(table.expire(now + .seconds(2)).map(\.call).sorted() == [1, 2])
        #expect(table.nextDeadline == now + .seconds(3))
        #expect(table.expire(now + .seconds(2)).isEmpty)
        #expect(table.count == 1)
    }

    @Test("an END takes its call out of the table; one out of sequence leaves it there to be failed")
    func last() throws {
        var table = table(BusLimits(), 1)
        func accept(_ sequence: UInt32, _ table: inout CallTable<UInt64>) throws -> UInt64? {
            let header = FrameHeader(call: 1, sequence: sequence, .end(CallEnd(code: 0)))
            return try [9].withSpan { try table.acceptLast(header, $0) }.map { last in
                #expect(last.message.body == [9])
                return last.owner
            }
        }
        #expect(throws: RPCError.self) { try accept(3, &table) }
        #expect(table.owner(1) == 1)
        #expect(try accept(0, &table) == 1)
        #expect(table.count == 0)
        #expect(try accept(1, &table) == nil)
    }

    @Test("a gap in the sequence is UNAVAILABLE")
    func gap() {
        var stream = InboundStream()
        let header = FrameHeader(call: 1, sequence: 1, .message(attachmentSizes: []))
        let error = #expect(throws: RPCError.self) {
            try [UInt8]().withSpan { try stream.accept(header, $0, sizes: [], budget: 0, limits: BusLimits()) }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.reason == "sequence_gap")
    }
}

@Suite struct FIFOTests {
    @Test("elements leave in the order they came, through any mix of operations")
    func order() {
        var fifo = FIFO<Int>()
        var reference: [Int] = []
        var random = SystemRandomNumberGenerator()
        for number in 0..<10_000 {
            if Int.random(in: 0..<5, using: &random) < 3 {
                fifo.append(number)
                reference.append(number)
            } else {
                #expect(fifo.popFirst() == (reference.isEmpty ? nil : reference.removeFirst()))
            }
            if number % 1000 == 999 {
                fifo.removeAll { $0 % 3 == 0 }
                reference.removeAll { $0 % 3 == 0 }
            }
            #expect(fifo.count == reference.count)
            #expect(fifo.first == reference.first)
        }
    }
}

/// Takes what is sent and leads nowhere.
private final class RecordingLink: FrameLink {
    func tickSoon() {}

    private let closed = Mutex(false)
    var isClosed: Bool { closed.withLock { $0 } }

    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool) {}
    func close() { closed.withLock { $0 = true } }
}

@Suite struct ClientConnectionTests {
    @Test("the second GOAWAY ends the connection, and what it has under way was never started")
    func farewell() async throws {
        let link = RecordingLink()
        let events = Mutex<[String]>([])
        let connection = ClientConnection(link: link, limits: BusLimits(), timing: BusTiming()) { event in
            switch event {
            case .goAway: events.withLock { $0.append("goAway") }
            case .ended(let error): events.withLock { $0.append("ended \(error.notStarted)") }
            case .pong: break
            }
        }
        let inbox = ReplyInbox()
        let start = CallStart(method: "Echo/echo", creditMessages: 1, creditBytes: 1)
        _ = try connection.start(start, body: [], attachments: [], inbox: inbox, deadline: nil)
        let goAway = FrameHeader(.goAway(reason: "shutting down")).encoded()
        func receive() { goAway.withSpan { header in [UInt8]().withSpan { connection.receive(header, $0) } } }
        receive()
        #expect(connection.isDraining && connection.runningCalls == 1 && !link.isClosed && !inbox.isFinished)
        receive()
        try #require(link.isClosed)
        #expect(events.withLock { $0 } == ["goAway", "ended true"])
        let error = await #expect(throws: RPCError.self) { try await inbox.next() }
        #expect(error?.code == .unavailable && error?.notStarted == true)
    }

    @Test("an instance that does not come out of a step loses its calls, so that they move; its connection stays")
    func stuck() async throws {
        let link = RecordingLink()
        let connection = ClientConnection(link: link, limits: BusLimits(), timing: BusTiming()) { _ in }
        let inbox = ReplyInbox()
        let start = CallStart(method: "Echo/echo", creditMessages: 1, creditBytes: 1)
        _ = try connection.start(start, body: [], attachments: [], inbox: inbox, deadline: nil)
        func receivePong(stepAge: Duration) {
            var load = LoadReport()
            load.stepAge = stepAge
            let pong = FrameHeader(.pong(1, load)).encoded()
            pong.withSpan { header in [UInt8]().withSpan { connection.receive(header, $0) } }
        }
        receivePong(stepAge: .seconds(29))
        #expect(connection.runningCalls == 1 && !inbox.isFinished)
        receivePong(stepAge: .seconds(31))
        #expect(connection.runningCalls == 0 && !link.isClosed)
        let error = await #expect(throws: RPCError.self) { try await inbox.next() }
        #expect(error?.code == .unavailable && error?.notStarted == false)
    }
}

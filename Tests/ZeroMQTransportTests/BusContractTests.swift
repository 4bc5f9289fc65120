import Benchmarks
import Messages
import RPC
import Synchronization
import Testing

/// What every transport does.
@Suite(.timeLimit(.minutes(3)), .serialized)
struct BusContractTests {
    @Test("a call returns what its handler gave", arguments: TestedTransport.allCases)
    func unary(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve()
        defer { server.stop() }
        let client = try fixture.client(address)
        for method in [Wire.Echo.echo, Wire.Echo.echoLater] {
            let payload = [UInt8](0...255)
            let reply = try await client.call(method, Wire.EchoRequest(payload: payload))
            #expect(reply.message.payload == payload)
            #expect(reply.instanceID == server.description.instanceID)
        }
    }

    @Test("a stream of 10,000 messages comes whole and in order", arguments: TestedTransport.allCases)
    func longStream(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve()
        defer { server.stop() }
        let client = try fixture.client(address)
        var next = 0
        for try await reply in try await client.stream(
            Wire.Echo.count, Wire.CountRequest(count: 10_000, payloadSize: 32))
        {
            #expect(reply.message.index == next)
            next += 1
        }
        #expect(next == 10_000)
    }

    @Test("attachments of 64 MiB go there and back", arguments: TestedTransport.allCases)
    func largeAttachments(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve()
        defer { server.stop() }
        let client = try fixture.client(address)
        var bytes = [UInt8](repeating: 0, count: 64 << 20)
        for index in stride(from: 0, to: bytes.count, by: 4093) {
            bytes[index] = UInt8(truncatingIfNeeded: index / 4093)
        }
        let options = CallOptions(attachments: [Attachment([1, 2, 3]), Attachment(bytes), Attachment(count: 0)])
        let reply = try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(payload: [9]), options)
        #expect(reply.message.payload == [9])
        #expect(reply.attachments.map(\.count) == [3, 64 << 20, 0])
        #expect(reply.attachments[0].array == [1, 2, 3])
        #expect(reply.attachments[1].array == bytes)
    }

    @Test("heartbeats and calls pass between the chunks of a 64 MiB attachment", arguments: TestedTransport.allCases)
    func interleaving(_ wire: TestedTransport) async throws {
        var timing = BusTiming()
        timing.heartbeat = .milliseconds(1)
        var limits = BusLimits()
        limits.chunkBytes = 16 << 10
        limits.chunkWindowBytes = 64 << 10
        let fixture = try Fixture(wire, limits: limits, timing: timing)
        let arrived = Mutex(false)
        let (server, address) = try fixture.serve([
            Scripted(stream: { request, writer, _ in
                arrived.withLock { $0 = true }
                try await writer.write(Wire.CountReply(index: request.attachments[0].count))
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        try await client.waitUntil { !$0.isEmpty }
        let options = CallOptions(attachments: [Attachment([UInt8](repeating: 5, count: 64 << 20))])
        // Returns when the call is on its way, with 4096 chunks behind it.
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1), options)
        server.gauge.addOutstanding(5)
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest())
        try await client.waitUntil { $0.first?.load.outstanding == 5 }
        #expect(!arrived.withLock { $0 }, "the attachment went first, everything else had to wait")
        #expect(try await stream.next()?.message.index == 64 << 20)
    }

    @Test("an attachment beyond the limit is refused before it is sent", arguments: TestedTransport.allCases)
    func attachmentLimit(_ wire: TestedTransport) async throws {
        var limits = BusLimits()
        limits.attachmentBytes = 1000
        let fixture = try Fixture(wire, limits: limits)
        let (server, address) = try fixture.serve()
        defer { server.stop() }
        let client = try fixture.client(address)
        let error = await rpcError {
            try await client.call(
                Wire.Echo.echoLater, Wire.EchoRequest(), CallOptions(attachments: [Attachment(count: 1001)]))
        }
        #expect(error?.code == .resourceExhausted)
        #expect(error?.reason == "attachment_too_large")
    }

    @Test("a handler's error crosses with code, reason, field and retry time", arguments: TestedTransport.allCases)
    func errors(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let sent = RPCError(
            .outOfRange, "temperature -1", reason: "bad", field: "temperature", retryAfter: .milliseconds(1500))
        let (server, address) = try fixture.serve([Scripted(unary: { _, _ in throw sent })])
        defer { server.stop() }
        let client = try fixture.client(address)
        let error = await rpcError { try await client.call(Wire.Echo.echoLater, Wire.EchoRequest()) }
        #expect(error == sent)
    }

    @Test("an unknown method is UNIMPLEMENTED and not started", arguments: TestedTransport.allCases)
    func unknownMethod(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve([])
        defer { server.stop() }
        let client = try fixture.client(address)
        let error = await rpcError { try await client.call(Wire.Echo.echo, Wire.EchoRequest()) }
        #expect(error?.code == .unimplemented)
        #expect(error?.notStarted == true)
    }

    @Test("metadata reaches the handler", arguments: TestedTransport.allCases)
    func metadata(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve([
            Scripted(unary: { _, context in ServerReply(Wire.EchoReply(payload: context.metadata[bytes: "k"] ?? [])) })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        let reply = try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(), CallOptions(metadata: ["k": "雲"]))
        #expect(reply.message.payload == [UInt8]("雲".utf8))
    }

    @Test("cancelling a call cancels its handler", arguments: TestedTransport.allCases)
    func cancellation(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (entered, cancelled) = (Gate(), Gate())
        let (server, address) = try fixture.serve([
            Scripted(unary: { _, _ in
                entered.open()
                try await untilCancelled(cancelled)
                return ServerReply(Wire.EchoReply())
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        let task = entered.opened { try await client.call(Wire.Echo.echoLater, Wire.EchoRequest()) }
        try await entered.wait()
        task.cancel()
        #expect(await rpcError { try await task.value }?.code == .cancelled)
        try await cancelled.wait()
    }

    @Test("an expired deadline ends the call on both sides", arguments: TestedTransport.allCases)
    func deadline(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let hasStarted = Mutex(false)
        let cancelled = Gate()
        let (server, address) = try fixture.serve([
            Scripted(unary: { _, context in
                #expect(context.deadline != nil)
                hasStarted.withLock { $0 = true }
                try await untilCancelled(cancelled)
                return ServerReply(Wire.EchoReply())
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        try await client.waitUntil { !$0.isEmpty }
        // On a busy machine a short deadline may pass before the handler starts: then nothing is left to be cancelled.
        var timeout = Duration.milliseconds(50)
        while !hasStarted.withLock({ $0 }) {
            let limit = timeout
            let error = await rpcError {
                try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(), CallOptions(timeout: limit))
            }
            #expect(error?.code == .deadlineExceeded)
            timeout *= 2
        }
        try await cancelled.wait()
    }

    @Test("a short deadline passes in time where nothing else happens for long", arguments: TestedTransport.allCases)
    func quietDeadline(_ wire: TestedTransport) async throws {
        var timing = BusTiming()
        timing.heartbeat = .seconds(300)
        timing.silence = .seconds(900)
        let fixture = try Fixture(wire, timing: timing)
        let (server, address) = try fixture.serve([
            Scripted(unary: { _, _ in
                try await Gate().wait()
                return ServerReply(Wire.EchoReply())
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        try await client.waitUntil { !$0.isEmpty }
        for timeout in [Duration.milliseconds(300), .milliseconds(50)] {
            let error = await rpcError {
                try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(), CallOptions(timeout: timeout))
            }
            #expect(error?.code == .deadlineExceeded)
        }
    }

    @Test("a server closed in mid-stream makes its calls UNAVAILABLE", arguments: TestedTransport.allCases)
    func serverGone(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve([
            Scripted(stream: { _, writer, _ in
                try await writer.write(Wire.CountReply(index: 0))
                try await untilCancelled(Gate())
            })
        ])
        let client = try fixture.client(address)
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1))
        #expect(try await stream.next()?.message.index == 0)
        server.stop()
        let error = await rpcError { try await stream.next() }
        #expect(error?.code == .unavailable)
        #expect(error?.notStarted == false)
    }

    @Test("a client gone in mid-stream stops the server's work", arguments: TestedTransport.allCases)
    func clientGone(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let cancelled = Gate()
        let (server, address) = try fixture.serve([
            Scripted(stream: { _, writer, _ in
                // The reader may be gone before the write has returned: then that ends the handler.
                defer { cancelled.open() }
                try await writer.write(Wire.CountReply(index: 0))
                try await untilCancelled(Gate())
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1))
        _ = try await stream.next()
        client.close()
        try await cancelled.wait()
    }

    @Test("letting go of a stream cancels its handler", arguments: TestedTransport.allCases)
    func streamDropped(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let cancelled = Gate()
        let (server, address) = try fixture.serve([
            Scripted(stream: { _, writer, _ in
                // The reader may be gone before the write has returned: then that ends the handler.
                defer { cancelled.open() }
                try await writer.write(Wire.CountReply(index: 0))
                try await untilCancelled(Gate())
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        for try await _ in try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1)) { break }
        try await cancelled.wait()
    }

    @Test("1,000 calls at once over one channel get their own answers", arguments: TestedTransport.allCases)
    func manyCalls(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let entered = Mutex(0)
        let gate = Gate()
        let (server, address) = try fixture.serve([
            Scripted(unary: { request, _ in
                // Nobody leaves before all are in: they really run at once.
                if entered.withLock({
                    $0 += 1; return $0
                }) == 1000 {
                    gate.open()
                }
                try await gate.wait()
                return ServerReply(Wire.EchoReply(payload: request.message.payload))
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    let payload = [UInt8]("\(number)".utf8)
                    let reply = try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(payload: payload))
                    #expect(reply.message.payload == payload)
                }
            }
            try await group.waitForAll()
        }
        #expect(server.peerCount == 1)
    }

    @Test("a full call queue is RESOURCE_EXHAUSTED and not started", arguments: TestedTransport.allCases)
    func fullQueue(_ wire: TestedTransport) async throws {
        var limits = BusLimits()
        limits.runningCalls = 1
        let fixture = try Fixture(wire, limits: limits)
        let (entered, leave) = (Gate(), Gate())
        let (server, address) = try fixture.serve([
            Scripted(unary: { _, _ in
                entered.open()
                try await leave.wait()
                return ServerReply(Wire.EchoReply())
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        let first = entered.opened { try await client.call(Wire.Echo.echoLater, Wire.EchoRequest()) }
        try await entered.wait()
        let error = await rpcError { try await client.call(Wire.Echo.echoLater, Wire.EchoRequest()) }
        #expect(error?.code == .resourceExhausted)
        #expect(error?.notStarted == true)
        // Methods that answer at once still do.
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest())
        leave.open()
        _ = try await first.value
    }

    @Test("offers to a slow reader are kept up to their bound and then refused", arguments: TestedTransport.allCases)
    func slowReader(_ wire: TestedTransport) async throws {
        var limits = BusLimits()
        limits.windowMessages = 2
        let fixture = try Fixture(wire, limits: limits)
        let accepted = Mutex(0)
        let full = Gate()
        let (server, address) = try fixture.serve([
            Scripted(stream: { _, writer, _ in
                do {
                    while true {
                        try writer.offer(Wire.CountReply(index: accepted.withLock { $0 }), bound: 5)
                        accepted.withLock { $0 += 1 }
                    }
                } catch let error as RPCError {
                    #expect(error.code == .resourceExhausted)
                    full.open()
                }
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1))
        try await full.wait()
        // Two by credit, five kept; all of them arrive.
        #expect(accepted.withLock { $0 } == 7)
        var indices: [Int] = []
        for try await reply in stream { indices.append(reply.message.index) }
        #expect(indices == Array(0..<7))
    }

    @Test("of previews that wait the latest wins", arguments: TestedTransport.allCases)
    func latestWins(_ wire: TestedTransport) async throws {
        var limits = BusLimits()
        limits.windowMessages = 1
        let fixture = try Fixture(wire, limits: limits)
        let done = Gate()
        let (server, address) = try fixture.serve([
            Scripted(stream: { _, writer, _ in
                for index in 0..<100 { try writer.offerLatest(Wire.CountReply(index: index)) }
                done.open()
            })
        ])
        defer { server.stop() }
        let client = try fixture.client(address)
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1))
        try await done.wait()
        var indices: [Int] = []
        for try await reply in stream { indices.append(reply.message.index) }
        #expect(indices == [0, 99])
    }

    @Test("a writer waits for its reader", arguments: TestedTransport.allCases)
    func backpressure(_ wire: TestedTransport) async throws {
        var limits = BusLimits()
        limits.windowMessages = 4
        let fixture = try Fixture(wire, limits: limits)
        let (server, address) = try fixture.serve()
        defer { server.stop() }
        let client = try fixture.client(address)
        let stream = try await client.stream(Wire.Echo.count, Wire.CountRequest(count: 1000, payloadSize: 1000))
        var count = 0
        for try await reply in stream {
            #expect(reply.message.index == count)
            count += 1
        }
        #expect(count == 1000)
        // Everything is given back: the server runs no call.
        await server.drain(grace: .seconds(30))
        #expect(server.runningCalls == 0)
    }

    @Test("a draining server finishes its calls and takes no new ones", arguments: TestedTransport.allCases)
    func draining(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (entered, leave) = (Gate(), Gate())
        let (server, address) = try fixture.serve([
            Scripted(unary: { request, _ in
                entered.open()
                try await leave.wait()
                return ServerReply(Wire.EchoReply(payload: request.message.payload))
            })
        ])
        let client = try fixture.client(address)
        let running = entered.opened { try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(payload: [5])) }
        try await entered.wait()
        async let drained: Void = server.drain(grace: .seconds(60))
        try await client.waitUntil { $0.contains { $0.state == .draining } }
        var options = CallOptions()
        options.waitsForReady = false
        let error = await rpcError { try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options) }
        #expect(error?.code == .unavailable)
        #expect(error?.notStarted == true)
        leave.open()
        #expect(try await running.value.message.payload == [5])
        await drained
    }

    @Test("a call for another instance or numerics id is FAILED_PRECONDITION", arguments: TestedTransport.allCases)
    func addressing(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve { description in
            description.models = [ModelDescription(name: "tiny")]
            description.models[0].numericsID = "n1"
        }
        defer { server.stop() }
        let client = try fixture.client(address)
        var options = CallOptions()
        options.numericsID = "n1"
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options)
        // The client still believes in n1 when the server has moved on.
        let before = server.description.instanceID
        server.update { $0.models[0].numericsID = "n2" }
        let error = await rpcError { try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options) }
        #expect(error?.code == .failedPrecondition || error?.code == .unavailable)
        #expect(error?.notStarted == true)
        // A changed description reaches the client by itself.
        try await client.waitUntil { $0.first?.description.models.first?.numericsID == "n2" }
        options.numericsID = "n2"
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options).instanceID == before)
    }

    @Test("a server that comes back at the same address is another instance", arguments: TestedTransport.allCases)
    func comesBack(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (entered, gone) = (Gate(), Gate())
        let (first, address) = try fixture.serve([
            Scripted(unary: { _, _ in
                entered.open()
                try await untilCancelled(gone)
                return ServerReply(Wire.EchoReply())
            })
        ])
        let client = try fixture.client(address)
        let call = entered.opened { try await client.call(Wire.Echo.echoLater, Wire.EchoRequest()) }
        try await entered.wait()
        first.stop()
        #expect(await rpcError { try await call.value }?.code == .unavailable)
        var second: RPCServer?
        while second == nil {
            // The address is free once the socket thread has closed the first one.
            do {
                second = try fixture.serve(at: address).server
            } catch let error as RPCError where error.code == .alreadyExists {
                await Task.yield()
            }
        }
        let server = try #require(second)
        defer { server.stop() }
        let id = server.description.instanceID
        try await client.waitUntil { $0.contains { $0.id == id } }
        #expect(try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(payload: [1])).instanceID == id)
        var options = CallOptions(instanceID: first.description.instanceID)
        options.waitsForReady = false
        let error = await rpcError { try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options) }
        #expect(error?.code == .unavailable && error?.notStarted == true)
    }

    @Test("health tells starting, serving and draining", arguments: TestedTransport.allCases)
    func health(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (server, address) = try fixture.serve()
        let client = try fixture.client(address)
        server.gauge.isReady = false
        #expect(try await client.call(Bus.health, HealthRequest()).message.state == .starting)
        server.gauge.isReady = true
        server.gauge.addOutstanding(7)
        let reply = try await client.call(Bus.health, HealthRequest()).message
        #expect(reply.state == .serving)
        #expect(reply.load.outstanding == 7)
        server.stop()
    }
}

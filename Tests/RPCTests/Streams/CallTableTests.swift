import Concurrency
import Messages
import Synchronization
import Testing

@testable import RPC

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

    @Test func `calls take turns with their chunks and the window holds them back`() {
        var limits = BusLimits()
        limits.chunkBytes = 10
        limits.chunkWindowBytes = 40
        var table = table(limits, 1, 2)
        let link = FrameRecorder()
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
        #expect(rest.map(\.body.count) == [10, 5])
        // A message behind its predecessor's chunks waits for them.
        _ = table.send(2, OutboundItem(content: .message(attachmentSizes: []), body: [1]), link)
        #expect(link.take().isEmpty)
        table.addChunkCredit(40)
        _ = table.pumpChunks(link)
        #expect(link.take().map(\.header.sequence) == [4, 5])
    }

    @Test func `without credit messages wait; an end needs none but keeps its place`() {
        var table = CallTable<Int>(limits: BusLimits())
        table.insert(
            1,
            .init(
                owner: 0, outbound: OutboundStream(creditMessages: 1, creditBytes: 10), inbound: InboundStream(),
                deadline: nil))
        let link = FrameRecorder()
        for _ in 0..<2 { _ = table.send(1, OutboundItem(content: .message(attachmentSizes: []), body: [1, 2]), link) }
        _ = table.send(1, OutboundItem(content: .end(CallEnd(code: 0)), body: []), link)
        #expect(link.take().count == 1)
        #expect(table.waiting(1) == 2)
        table.addCredit(1, messages: 1, bytes: 2)
        _ = table.pump(1, link)
        #expect(link.take().count == 2)
    }

    @Test func `deadlines expire in order and only once`() {
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

    @Test func `an END takes its call out of the table; one out of sequence leaves it there to be failed`() throws {
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
}

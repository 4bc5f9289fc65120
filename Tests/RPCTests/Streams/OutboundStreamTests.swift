import Concurrency
import Messages
import Synchronization
import Testing

@testable import RPC

@Suite struct OutboundStreamTests {
    private func item(_ byte: UInt8, isReplaceable: Bool = false) -> OutboundItem {
        OutboundItem(content: .message(attachmentSizes: []), body: [byte], isReplaceable: isReplaceable)
    }

    @Test func `of replaceable messages that wait the last one is sent, in its place`() {
        var stream = OutboundStream(creditMessages: 0, creditBytes: 0)
        for (byte, isReplaceable) in [(1, true), (2, false), (3, true), (4, false)] as [(UInt8, Bool)] {
            stream.enqueue(item(byte, isReplaceable: isReplaceable))
        }
        let link = FrameRecorder()
        #expect(stream.pump(1, link, canWait: false) == .blocked)
        stream.add(credit: 9, bytes: 9, limits: BusLimits())
        #expect(stream.pump(1, link, canWait: false) == .idle)
        #expect(link.take().map(\.body) == [[2], [3], [4]])
    }

    @Test func `credit beyond the window is not kept, whatever the peer gives`() {
        var limits = BusLimits()
        limits.windowMessages = 2
        var stream = OutboundStream(creditMessages: 0, creditBytes: 1 << 20)
        for _ in 0..<5 { stream.add(credit: .max, bytes: .max, limits: limits) }
        for byte in UInt8(0)..<9 { stream.enqueue(item(byte)) }
        let link = FrameRecorder()
        #expect(stream.pump(1, link, canWait: false) == .blocked)
        #expect(link.take().count == 4)
    }

    @Test func `numbers go on from where a stream begins, and an end follows what waits`() {
        var stream = OutboundStream(sequence: 7, creditMessages: 9, creditBytes: 9)
        stream.enqueue(item(1))
        stream.enqueue(OutboundItem(content: .end(CallEnd(code: 0)), body: []))
        let link = FrameRecorder()
        #expect(stream.pump(1, link, canWait: false) == .ended)
        #expect(link.take().map(\.header.sequence) == [7, 8])
    }
}

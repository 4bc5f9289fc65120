import Messages
import Testing

@testable import RPC

@Suite struct InboundStreamTests {
    private static var limits: BusLimits {
        var limits = BusLimits()
        (limits.messageBytes, limits.attachmentBytes, limits.attachmentsPerCall) = (10, 100, 3)
        return limits
    }

    private func accept(
        _ sizes: [Int], body: [UInt8] = [], sequence: UInt32 = 0, budget: Int = 1_000, _ stream: inout InboundStream
    ) throws -> InboundMessage? {
        let header = FrameHeader(call: 1, sequence: sequence, .message(attachmentSizes: sizes))
        return try body.withSpan {
            try stream.accept(header, $0, sizes: sizes, budget: budget, limits: Self.limits)
        }
    }

    private func chunk(
        _ bytes: [UInt8], _ attachment: Int, _ offset: Int, sequence: UInt32, _ stream: inout InboundStream
    ) throws -> InboundMessage? {
        let header = FrameHeader(call: 1, sequence: sequence, .chunk(attachment: attachment, offset: offset))
        return try bytes.withSpan { try stream.acceptChunk(header, attachment: attachment, offset: offset, $0) }
    }

    private func reason(_ body: (inout InboundStream) throws -> Void) -> String? {
        var stream = InboundStream()
        do { try body(&stream) } catch let error as RPCError { return error.reason } catch { return "\(error)" }
        return nil
    }

    @Test func `a gap in the sequence is UNAVAILABLE`() {
        var stream = InboundStream()
        let error = #expect(throws: RPCError.self) { try accept([], sequence: 1, &stream) }
        #expect(error?.code == .unavailable)
        #expect(error?.reason == "sequence_gap")
    }

    @Test func `a message is whole with the last chunk of its attachments, empty ones passed over`() throws {
        var stream = InboundStream()
        #expect(try accept([0, 3, 0], body: [9], &stream) == nil)
        #expect(stream.reserved == 3)
        #expect(try chunk([1, 2], 1, 0, sequence: 1, &stream) == nil)
        let whole = try #require(try chunk([3], 1, 2, sequence: 2, &stream))
        #expect(whole.body == [9] && whole.attachments.map(\.array) == [[], [1, 2, 3], []])
        #expect(stream.reserved == 0 && whole.cost == 4)
        // Attachments without a byte are whole at once.
        #expect(try accept([0, 0], sequence: 3, &stream)?.attachments.count == 2)
    }

    @Test func `what is beyond a limit is refused with the limit's name`() {
        #expect(reason { _ = try accept([], body: [UInt8](repeating: 0, count: 11), &$0) } == "message_too_large")
        #expect(reason { _ = try accept([1, 1, 1, 1], &$0) } == "too_many_attachments")
        #expect(reason { _ = try accept([101], &$0) } == "attachment_too_large")
        #expect(reason { _ = try accept([60, 60], budget: 119, &$0) } == "attachment_memory")
        #expect(reason { _ = try accept([60, 60], budget: 120, &$0) } == nil)
    }

    @Test(arguments: [(1, 0), (0, 1), (7, 0)])
    func `a chunk of another place is a violation`(attachment: Int, offset: Int) {
        let violation = RPCError.protocolViolation("").reason
        #expect(
            reason {
                _ = try accept([3, 3], &$0)
                _ = try chunk([1], attachment, offset, sequence: 1, &$0)
            } == violation)
    }

    @Test func `chunks that nobody announced, that are empty or too long, and messages between them are violations`() {
        let violation = RPCError.protocolViolation("").reason
        #expect(reason { _ = try chunk([1], 0, 0, sequence: 0, &$0) } == violation)
        for bytes in [[], [1, 2, 3, 4]] as [[UInt8]] {
            #expect(
                reason {
                    _ = try accept([3], &$0)
                    _ = try chunk(bytes, 0, 0, sequence: 1, &$0)
                } == violation)
        }
        #expect(
            reason {
                _ = try accept([3], &$0)
                _ = try accept([], sequence: 1, &$0)
            } == violation)
    }
}

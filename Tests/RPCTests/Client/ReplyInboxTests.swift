import Messages
import Testing

@testable import RPC

@Suite(.timeLimit(.minutes(10))) struct ReplyInboxTests {
    private func message(_ byte: UInt8) -> InboundMessage {
        InboundMessage(content: .message(attachmentSizes: []), body: [byte])
    }

    @Test func `messages that wait are read before a good end, and the first end counts`() async throws {
        let inbox = ReplyInbox()
        inbox.deliver(message(1))
        inbox.finish(with: message(2))
        inbox.finish(RPCError(.unavailable, "too late"))
        inbox.deliver(message(3))
        #expect(try await inbox.next()?.body == [1])
        #expect(try await inbox.next()?.body == [2])
        #expect(try await inbox.next()?.body == nil)
        #expect(try await inbox.next()?.body == nil)
    }

    @Test func `an error comes after what was delivered before it, and stays`() async throws {
        let inbox = ReplyInbox()
        inbox.deliver(message(1))
        inbox.finish(RPCError(.unavailable, "gone", reason: "lost"))
        #expect(try await inbox.next()?.body == [1])
        for _ in 0..<2 {
            let error = await #expect(throws: RPCError.self) { try await inbox.next() }
            #expect(error?.reason == "lost")
        }
    }

    @Test func `a reader that waits is woken by a message, an end or an error`() async throws {
        for end in 0..<3 {
            let inbox = ReplyInbox()
            let reader = Task { try await inbox.next()?.body }
            // Whether the reader is there already or not makes no difference.
            await Task.yield()
            switch end {
            case 0:
                inbox.deliver(message(7))
                #expect(try await reader.value == [7])
            case 1:
                inbox.finish(nil)
                #expect(try await reader.value == nil)
            default:
                inbox.finish(RPCError(.cancelled, "gone"))
                await #expect(throws: RPCError.self) { try await reader.value }
            }
        }
    }

    @Test func `credit is given back for what was read, half a window at a time`() async throws {
        var limits = BusLimits()
        (limits.windowMessages, limits.windowBytes) = (4, 100)
        let inbox = ReplyInbox()
        for byte in UInt8(0)..<3 { inbox.deliver(message(byte)) }
        #expect(inbox.takeCredit(limits: limits) == nil)
        _ = try await inbox.next()
        #expect(inbox.takeCredit(limits: limits) == nil)
        _ = try await inbox.next()
        let credit = try #require(inbox.takeCredit(limits: limits))
        #expect(credit == (messages: 2, bytes: 2))
        #expect(inbox.takeCredit(limits: limits) == nil)
    }
}

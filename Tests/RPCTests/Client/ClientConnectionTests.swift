import Messages
import Synchronization
import Testing

@testable import RPC

@Suite struct ClientConnectionTests {
    @Test func `the second GOAWAY ends the connection, and what it has under way was never started`() async throws {
        let link = FrameRecorder()
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

    @Test func `an instance that does not come out of a step loses its calls, so that they move; its connection stays`()
        async throws
    {
        let link = FrameRecorder()
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

import Foundation
import HTTPTypes
import Messages
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import RPC
import Testing
import TokenizerService

@testable import Gateway

@Suite(.timeLimit(.minutes(5))) struct StreamKeepAliveTests {
    private func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(StreamKeepAlive(interval: .seconds(9)))
        try channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func head(_ type: String) -> HTTPResponsePart {
        .head(HTTPResponse(status: .ok, headerFields: [.contentType: type]))
    }

    /// Bodies that have been written since it was last asked.
    private func written(_ channel: EmbeddedChannel) throws -> [String] {
        var texts: [String] = []
        while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
            if case .body(let buffer) = part { texts.append(String(buffer: buffer)) }
        }
        return texts
    }

    @Test func `a silent stream is sent a comment each interval, from the head to the end`() throws {
        let channel = try channel()
        channel.writeAndFlush(head("text/event-stream; charset=utf-8"), promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(8))
        #expect(try written(channel).isEmpty)
        channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(try written(channel) == [": keep-alive\n\n", ": keep-alive\n\n", ": keep-alive\n\n"])
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(try written(channel).isEmpty)
        // The next stream of the connection begins anew.
        channel.writeAndFlush(head("text/event-stream"), promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(try written(channel) == [": keep-alive\n\n"])
        _ = try channel.finish()
    }

    @Test func `a stream that says something, and what is no stream, are left alone`() throws {
        let channel = try channel()
        channel.writeAndFlush(head("text/event-stream"), promise: nil)
        for _ in 0..<10 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(5))
            channel.writeAndFlush(HTTPResponsePart.body(ByteBuffer(string: "data: x\n\n")), promise: nil)
        }
        #expect(try written(channel) == [String](repeating: "data: x\n\n", count: 10))
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        channel.writeAndFlush(head("application/json"), promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(try written(channel).isEmpty)
        _ = try channel.finish()
    }

    private static let chat =
        #"{"model":"llama","stream":true,"max_tokens":3,"messages":[{"role":"user","content":"x"}]}"#

    private func served(
        _ turns: [ScriptedFleet.Turn], headDelay: TimeAmount, timeout: Int = 600_000
    ) async throws -> ServedAnswer {
        let fleet = try ScriptedFleet(turns)
        defer { fleet.stop() }
        try await fleet.start("one")
        return try await fleet.withTokenizer { services in
            var gateway = Gateway(
                fleet: services, routing: try RoutingSource(file: nil), filters: try FilterSet(standard: "off"))
            (gateway.headDelay, gateway.keepAliveInterval) = (headDelay, .milliseconds(20))
            return try await withServed(gateway) { port in
                try await postServed(
                    Data(Self.chat.utf8), to: "/v1/chat/completions", port: port,
                    headers: ["X-Request-Timeout-Ms": "\(timeout)"])
            }
        }
    }

    @Test func `a stream whose answer does not begin has a head and comments, and its error is an event`() async throws
    {
        let answer = try await served([.hang], headDelay: .milliseconds(30), timeout: 1_000)
        #expect(answer.status == 200 && answer.headers["content-type"]?.hasPrefix("text/event-stream") == true)
        #expect(answer.headers["x-accel-buffering"] == "no")
        #expect(answer.body.contains(": keep-alive\n\n"))
        #expect(answer.body.contains(#"data: {"error":"#) && answer.body.contains("timeout"))
    }

    @Test func `a refusal in time has its own status`() async throws {
        let refusal = RPCError(.resourceExhausted, "busy", reason: "too_late", retryAfter: .seconds(500))
        let answer = try await served([.refuse(refusal)], headDelay: .seconds(60))
        #expect(answer.status == 429)
        // Clients do not try again at all where they are told to wait longer.
        #expect(answer.headers["retry-after"] == "120")
    }

    @Test func `an answer that begins late is the same stream`() async throws {
        let early = try await served([.serve], headDelay: .seconds(60))
        let late = try await served([.serve], headDelay: .nanoseconds(1))
        for answer in [early, late] {
            #expect(answer.status == 200 && answer.body.hasSuffix("data: [DONE]\n\n"))
            #expect(answer.body.contains(#""finish_reason":"length""#))
            let events = answer.body.components(separatedBy: "data: {").count - 1
            #expect(events >= 3)
        }
    }
}

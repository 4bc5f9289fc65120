internal import Foundation
internal import Messages
internal import NIOCore
internal import NIOPosix
internal import RPC
internal import ZeroMQTransport

/// `nephele bench gateway`: what the gateway adds to a request, on one processor of its own, before a worker that answers
/// at once. Worker and clients share the other processors.
package enum GatewayBenchmark {
    package struct Options: Sendable {
        /// Requests a second at which times are measured, and for how long.
        package var rate = 1_000
        package var seconds = 10
        /// Connections that send as fast as they are answered, for the highest rate.
        package var connections = 64
        package var streams = 1_000
        /// Tokens of each of those streams, one each 200 ms.
        package var streamTokens = 25

        package init() {}
    }

    /// Milliseconds.
    package struct Times: Codable, Sendable {
        package var p50: Double
        package var p99: Double

        init(_ milliseconds: [Double]) {
            let sorted = milliseconds.sorted()
            (p50, p99) = (sorted[sorted.count / 2], sorted[sorted.count * 99 / 100])
        }
    }

    package struct Streams: Codable, Sendable {
        package var count: Int
        /// Later than the pace of the worker's tokens.
        package var lateness: Times
        /// The share of its processor that the gateway used, 0 to 1.
        package var processorShare: Double
        /// What the gateway holds more than before, for each stream.
        package var bytesEach: Int

        private enum CodingKeys: String, CodingKey {
            case count
            case lateness = "lateness_ms"
            case processorShare = "processor_share"
            case bytesEach = "bytes_each"
        }
    }

    package struct Report: Codable, Sendable {
        /// At `rate`: from when a request was due to its whole answer.
        package var rate: Int
        package var throughGateway: Times
        /// The same two calls on the bus without a gateway.
        package var direct: Times
        /// One request at a time.
        package var alone: Times
        package var requestsPerSecond: Double
        /// The gateway's processor time for a request at the highest rate, in microseconds.
        package var processorTime: Double
        package var streams: Streams

        package var added: (p50: Double, p99: Double) {
            (throughGateway.p50 - direct.p50, throughGateway.p99 - direct.p99)
        }

        private enum CodingKeys: String, CodingKey {
            case rate, direct, streams
            case throughGateway = "through_gateway"
            case alone = "one_at_a_time"
            case requestsPerSecond = "requests_per_second"
            case processorTime = "processor_time_us"
        }
    }

    /// What the system under test is reached by.
    package struct Place: Sendable {
        /// The gateway's process and where it listens.
        package var gateway: Int32
        package var port: Int
        /// The worker's sockets.
        package var directory: String
        /// A client's key; nil where none is needed.
        package var key: String?

        package init(gateway: Int32, port: Int, directory: String, key: String?) {
            (self.gateway, self.port, self.directory, self.key) = (gateway, port, directory, key)
        }
    }

    /// 200 characters.
    static let prompt =
        "Write four lines about the moon over a river in autumn, in the manner of the old masters: plain words, one "
        + "picture in each line, and a turn in the last that lets the reader see whose eyes have looked at it."

    /// - Throws: `ServiceBenchmarkError` for answers other than 200; what sockets and bus throw.
    package static func run(_ place: Place, options: Options = Options()) async throws -> Report {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let report = try await measure(place, options, on: group)
            try await group.shutdownGracefully()
            return report
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func measure(
        _ place: Place, _ options: Options, on group: MultiThreadedEventLoopGroup
    ) async throws -> Report {
        let chat = request(
            """
            {"model":"\(InstantWorker.instant)","messages":[{"role":"user","content":"\(prompt)"}],"max_tokens":64}
            """, to: "/v1/chat/completions", place)
        func load(_ connections: Int) async throws -> HTTPLoad {
            try await HTTPLoad(host: "127.0.0.1", port: place.port, connections: connections, request: chat, on: group)
        }
        let many = try await load(options.connections)
        let single = try await load(1)
        // To warm up.
        _ = try await many.closedLoop(count: options.rate * 2)
        let alone = try await single.closedLoop(count: options.rate)
        let count = options.rate * options.seconds
        let paced = try await many.openLoop(rate: options.rate, count: count)
        let direct = try await callDirectly(place, options)
        let before = try ProcessorTime(of: place.gateway)
        let start = ContinuousClock.now
        let most = options.rate * 2 * options.seconds
        _ = try await many.closedLoop(count: most)
        let took = (ContinuousClock.now - start) / .seconds(1)
        let used = try ProcessorTime(of: place.gateway).seconds - before.seconds
        return Report(
            rate: options.rate, throughGateway: Times(paced.map(milliseconds)), direct: direct,
            alone: Times(alone.map(milliseconds)), requestsPerSecond: Double(most) / took,
            processorTime: used / Double(most) * 1e6, streams: try await stream(place, options, on: group))
    }

    private static func request(_ body: String, to path: String, _ place: Place) -> String {
        let key = place.key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return """
            POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\(key)\
            Content-Length: \(body.utf8.count)\r\n\r\n\(body)
            """
    }

    private static func milliseconds(_ time: TimeAmount) -> Double { Double(time.nanoseconds) / 1e6 }

    // MARK: Without the gateway

    /// What the gateway calls for a chat, called from here at the same pace.
    private static func callDirectly(_ place: Place, _ options: Options) async throws -> Times {
        let tokenizer = try RPCClient(target: "ipc://\(place.directory)/\(InstantWorker.tokenizerEndpoint)")
        let textModel = try RPCClient(target: "ipc://\(place.directory)/\(InstantWorker.textModelEndpoint)")
        defer {
            tokenizer.close()
            textModel.close()
        }
        let count = options.rate * options.seconds
        let start = ContinuousClock.now + .milliseconds(100)
        return try await withThrowingTaskGroup(of: Double.self) { group in
            for number in 0..<count {
                let due = start + .nanoseconds(Int64(number) * 1_000_000_000 / Int64(options.rate))
                if due > .now { try await Task.sleep(until: due, tolerance: .zero, clock: .continuous) }
                group.addTask {
                    try await callDirectly(tokenizer, textModel)
                    return (ContinuousClock.now - due) / .milliseconds(1)
                }
            }
            var times: [Double] = []
            for try await time in group { times.append(time) }
            return Times(times)
        }
    }

    private static func callDirectly(_ tokenizer: RPCClient, _ textModel: RPCClient) async throws {
        let turns = [Wire.ChatMessage(role: "user", content: prompt)]
        let ids = try await tokenizer.call(
            Wire.Tokenizer.renderChat, Wire.RenderChatRequest(model: InstantWorker.instant, messages: turns)
        ).message.ids
        let call = Wire.GenerateRequest(model: InstantWorker.instant, prompt: ids, maxTokens: 64, seed: 0)
        let stream = try await textModel.stream(Wire.TextModel.generate, call)
        while try await stream.next() != nil {}
    }

    // MARK: Streams

    private static func stream(
        _ place: Place, _ options: Options, on group: MultiThreadedEventLoopGroup
    ) async throws -> Streams {
        let chat = request(
            """
            {"model":"\(InstantWorker.steady)","messages":[{"role":"user","content":"\(prompt)"}],"stream":true,\
            "max_tokens":\(options.streamTokens)}
            """, to: "/v1/chat/completions", place
        ).replacing("Host:", with: "Connection: close\r\nHost:", maxReplacements: 1)
        let before = try ProcessorTime(of: place.gateway)
        var counters: [EventCounter] = []
        for _ in 0..<options.streams {
            let counter = EventCounter()
            counters.append(counter)
            let channel = try await ClientBootstrap(group: group)
                .channelInitializer { $0.pipeline.addHandler(counter) }
                .connect(host: "127.0.0.1", port: place.port).get()
            try await channel.writeAndFlush(ByteBuffer(string: chat)).get()
        }
        // All are open now; the first ones are well before their end.
        let open = try ProcessorTime(of: place.gateway)
        let start = ContinuousClock.now
        try await Task.sleep(for: .seconds(2))
        let later = try ProcessorTime(of: place.gateway)
        let share = (later.seconds - open.seconds) / ((ContinuousClock.now - start) / .seconds(1))
        var late: [Double] = []
        for counter in counters {
            let arrivals = try await counter.finished()
            // The role, the tokens.
            guard arrivals.count >= options.streamTokens else {
                throw ServiceBenchmarkError("a stream ended after \(arrivals.count) of \(options.streamTokens) tokens")
            }
            // The quickest token says when the worker began. The last one does not: with it comes what a filter has held
            // back.
            let tokens = arrivals.suffix(options.streamTokens).dropLast()
            let begins = tokens.enumerated().map { $1 - InstantWorker.pace * $0 }
            guard let begin = begins.min() else { continue }
            late += begins.map { ($0 - begin) / .milliseconds(1) }
        }
        return Streams(
            count: options.streams, lateness: Times(late), processorShare: share,
            bytesEach: max(0, later.residentBytes - before.residentBytes) / max(1, options.streams))
    }
}

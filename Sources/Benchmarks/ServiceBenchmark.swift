import Foundation
import NIOCore
import NIOPosix

/// What streaming clients of a gateway see: events, one a token, counted as their bytes arrive.
package enum ServiceBenchmark {
    package struct Options: Sendable {
        package var clients = 16
        /// Tokens of each prompt, and of each answer.
        package var prompt = 64
        package var generate = 128

        package init() {}
    }

    package struct Report: Codable, Sendable {
        package var clients: Int
        /// While all clients stream: from the last one's first event to the first one's last.
        package var tokensPerSecond: Double
        /// From a client's request to its first event, median.
        package var timeToFirstToken: Double
        package var interToken: TextBenchmark.InterToken

        private enum CodingKeys: String, CodingKey {
            case clients
            case tokensPerSecond = "tokens_per_second"
            case timeToFirstToken = "time_to_first_token_ms"
            case interToken = "inter_token_ms"
        }
    }

    /// Streams completions of `model`, whose vocabulary has `vocabulary` tokens, to all clients at once; greedy.
    ///
    /// - Throws: what the sockets throw, and `ServiceBenchmarkError` when an answer is no stream.
    package static func run(
        host: String, port: Int, model: String, vocabulary: Int, options: Options = Options()
    ) async throws -> Report {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let report = try await stream(
                on: group, host: host, port: port, model: model, vocabulary: vocabulary, options)
            try await group.shutdownGracefully()
            return report
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func stream(
        on group: MultiThreadedEventLoopGroup, host: String, port: Int, model: String, vocabulary: Int,
        _ options: Options
    ) async throws -> Report {
        var counters: [EventCounter] = []
        let start = ContinuousClock.now
        for client in 0..<options.clients {
            let counter = EventCounter()
            counters.append(counter)
            let channel = try await ClientBootstrap(group: group)
                .channelInitializer { $0.pipeline.addHandler(counter) }
                .connect(host: host, port: port).get()
            let ids = (0..<options.prompt).map { ($0 * 131 + 17 + client * 7) % vocabulary }
            let body = """
                {"model":"\(model)","prompt":\(ids),"max_tokens":\(options.generate),"temperature":0,\
                "ignore_eos":true,"stream":true}
                """
            let request = """
                POST /v1/completions HTTP/1.1\r\nHost: \(host)\r\nContent-Type: application/json\r\n\
                Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)
                """
            try await channel.writeAndFlush(ByteBuffer(string: request)).get()
        }
        var arrivals: [[ContinuousClock.Instant]] = []
        for counter in counters { arrivals.append(try await counter.finished()) }
        return try report(arrivals, start: start)
    }

    private static func report(_ arrivals: [[ContinuousClock.Instant]], start: ContinuousClock.Instant) throws -> Report
    {
        let firsts = arrivals.compactMap(\.first), lasts = arrivals.compactMap(\.last)
        guard let from = firsts.max(), let to = lasts.min(), firsts.count == arrivals.count, from < to else {
            throw ServiceBenchmarkError("the clients did not stream at the same time; give more tokens to generate")
        }
        let tokens = arrivals.reduce(0) { $0 + $1.count { $0 > from && $0 <= to } }
        let gaps = arrivals.flatMap { times in zip(times.dropFirst(), times).map { ($0 - $1) / .milliseconds(1) } }
        let waits = firsts.map { ($0 - start) / .milliseconds(1) }.sorted()
        return Report(
            clients: arrivals.count, tokensPerSecond: Double(tokens) / ((to - from) / .seconds(1)),
            timeToFirstToken: waits[waits.count / 2], interToken: TextBenchmark.InterToken(gaps))
    }
}

/// A gateway that does not answer as it should.
package struct ServiceBenchmarkError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

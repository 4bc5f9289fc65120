import NIOCore
import NIOPosix

/// As little of HTTP as it takes to send many requests cheaply: one a connection, which the server closes.
enum PlainHTTP {
    struct Answer: Sendable {
        var status: Int
        /// Names in lower case.
        var headers: [String: String]
        var body: String
        /// From the connection's beginning to its end.
        var duration: Duration
    }

    /// One thread: it is the system that is to be busy.
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// - Throws: when nothing listens, or the connection breaks.
    static func post(
        _ port: Int, _ path: String, _ body: String, headers: [(String, String)] = []
    ) async throws -> Answer {
        let start = ContinuousClock.now
        let promise = group.any().makePromise(of: String.self)
        let extra = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        let request =
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\(extra)\r\n\(body)"
        do {
            let channel = try await ClientBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(WholeAnswer(promise))
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
            channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
        } catch {
            promise.fail(error)
        }
        return try Answer(await promise.futureResult.get(), .now - start)
    }
}

extension PlainHTTP.Answer {
    fileprivate init(_ text: String, _ duration: Duration) throws {
        // A line's end is one character to Swift.
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw ChaosError("an answer of \(text.utf8.count) bytes has no status")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let field = line.split(separator: ":", maxSplits: 1)
            if field.count == 2 { headers[field[0].lowercased()] = String(field[1].drop { $0 == " " }) }
        }
        self.init(
            status: status, headers: headers, body: parts.count == 2 ? String(parts[1]) : "", duration: duration)
    }
}

/// Collects bytes until the connection ends.
private final class WholeAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<String>
    private var bytes = ByteBuffer()

    init(_ promise: EventLoopPromise<String>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        bytes.writeBuffer(&buffer)
    }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed(String(buffer: bytes)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}

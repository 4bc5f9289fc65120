import Foundation
import Glibc

/// As little of HTTP as it takes to send many requests cheaply, over connections that stay open as those of clients do,
/// with plain system calls: it is the system that is to be busy. In a program that is not optimised, NIO's client took a
/// tenth of the machine for 150 requests a second, and a thread for each request 4%.
enum PlainHTTP {
    /// What came back. It is read when it is asked for: while requests are sent nothing else is done.
    struct Answer: Sendable {
        fileprivate let bytes: [UInt8]
        fileprivate let headLength: Int
        /// From the request's first byte to the answer's last.
        let duration: Duration

        /// 0 where there is none.
        var status: Int { Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0 }

        var body: String { String(decoding: bytes[headLength...], as: UTF8.self) }

        /// The value of a field; its name in lower case.
        func header(_ name: String) -> String? {
            let fields = head.split(separator: "\r\n").map { $0.split(separator: ":", maxSplits: 1) }
            return fields.first { $0.count == 2 && $0[0].lowercased() == name }.map { String($0[1].drop { $0 == " " }) }
        }

        private var head: String { String(decoding: bytes[..<headLength], as: UTF8.self) }
    }

    /// A request's bytes.
    static func post(_ path: String, _ body: String, headers: [(String, String)] = []) -> [UInt8] {
        let extra = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        return Array(
            ("POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\(extra)\r\n\(body)").utf8)
    }

    /// Sends a request over a connection of its own, and waits for the answer.
    ///
    /// - Throws: `ChaosError` when nothing listens, or the connection breaks.
    static func answer(to request: [UInt8], port: Int) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let connection = try Connection(to: port)
                        try connection.send(request)
                        while true {
                            if let answer = try connection.receive() { return answer }
                        }
                    })
            }
        }
    }

    /// Sends one request after the other, of which any number may be under way, on one thread.
    ///
    /// - Parameter times: when each is sent, from now; in order.
    /// - Returns: what came of each, and when, in the order of answers.
    static func answers(
        to request: [UInt8], sentAt times: [Duration], port: Int
    ) async -> [(result: Result<Answer, any Error>, time: Duration)] {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: exchangeAll(request, times, port: port)) }
        }
    }

    private static func exchangeAll(
        _ request: [UInt8], _ times: [Duration], port: Int
    ) -> [(result: Result<Answer, any Error>, time: Duration)] {
        var outcomes: [(result: Result<Answer, any Error>, time: Duration)] = []
        var start = ContinuousClock.now
        var (idle, busy): ([Connection], [Connection]) = ([], [])
        // Of those that are busy, in their order.
        var sockets: [pollfd] = []
        var next = 0
        while next < times.count || !busy.isEmpty {
            // What the machine did not let this thread do in time is done later, not all at once.
            if next < times.count { start += max(.zero, (.now - start) - times[next] - .milliseconds(20)) }
            while next < times.count, times[next] <= .now - start {
                next += 1
                do {
                    let connection = try idle.popLast() ?? Connection(to: port)
                    try connection.send(request)
                    busy.append(connection)
                    sockets.append(pollfd(fd: connection.socket, events: Int16(POLLIN), revents: 0))
                } catch {
                    outcomes.append((.failure(error), .now - start))
                }
            }
            let wait = next < times.count ? times[next] - (.now - start) : .seconds(60)
            var ready = poll(
                &sockets, nfds_t(sockets.count), Int32(max(0, (wait / .milliseconds(1)).rounded(.up))))
            // Those that were refused are the youngest.
            var index = sockets.count
            while ready > 0, index > 0 {
                index -= 1
                guard sockets[index].revents != 0 else { continue }
                ready -= 1
                do {
                    guard let answer = try busy[index].receive() else { continue }
                    outcomes.append((.success(answer), .now - start))
                    idle.append(busy[index])
                } catch {
                    outcomes.append((.failure(error), .now - start))
                }
                busy.remove(at: index)
                sockets.remove(at: index)
            }
        }
        return outcomes
    }

    /// One request at a time.
    private final class Connection {
        let socket: Int32
        private var bytes = [UInt8](repeating: 0, count: 64 << 10)
        private var received = 0
        private var lengths: (head: Int, whole: Int)?
        private var start = ContinuousClock.now

        init(to port: Int) throws {
            socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard socket >= 0 else { throw failure("socket") }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
            let isConnected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else { throw failure("connect") }
        }

        deinit { close(socket) }

        func send(_ request: [UInt8]) throws {
            start = .now
            (received, lengths) = (0, nil)
            var sent = 0
            while sent < request.count {
                let count = request.withUnsafeBytes {
                    Glibc.send(socket, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw failure("send") }
                sent += count
            }
        }

        /// Waits for some of the answer; nil while there is more to come.
        func receive() throws -> Answer? {
            let count = bytes.withUnsafeMutableBytes {
                recv(socket, $0.baseAddress?.advanced(by: received), $0.count - received - 1, 0)
            }
            guard count > 0 else { throw failure("recv (\(received) bytes so far)") }
            received += count
            bytes[received] = 0
            lengths = lengths ?? Self.lengths(of: bytes)
            guard let lengths, received >= lengths.whole else { return nil }
            return Answer(bytes: Array(bytes[..<received]), headLength: lengths.head, duration: .now - start)
        }

        /// Bytes of the head, and of head and body; nil while the head is incomplete.
        private static func lengths(of answer: [UInt8]) -> (head: Int, whole: Int)? {
            // A zero follows what has come.
            answer.withUnsafeBytes { bytes in
                guard let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress,
                    let end = strstr(start, "\r\n\r\n"), let field = strstr(start, "Content-Length: ")
                else { return nil }
                let head = start.distance(to: end) + 4
                return (head, head + strtol(field.advanced(by: 16), nil, 10))
            }
        }
    }

    private static func failure(_ call: String) -> ChaosError {
        ChaosError("\(call): \(String(cString: strerror(errno)))")
    }
}

import Foundation
import Glibc
import Synchronization

/// As little of HTTP as it takes to send many requests cheaply, over connections that stay open as those of clients do.
///
/// A thread each, with plain system calls: it is the system that is to be busy. In a program that is not optimised, NIO's
/// client took a tenth of the machine for 150 requests a second.
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

    /// - Throws: `ChaosError` when nothing listens, or the connection breaks.
    static func post(
        _ port: Int, _ path: String, _ body: String, headers: [(String, String)] = []
    ) async throws -> Answer {
        let extra = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        let request =
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\(extra)\r\n\(body)"
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try exchange(Array(request.utf8), port: UInt16(port)) })
            }
        }
    }

    /// Connections that wait for a request, by port.
    private static let idle = Mutex<[UInt16: [Int32]]>([:])

    private static func exchange(_ request: [UInt8], port: UInt16) throws -> Answer {
        if let socket = idle.withLock({ $0[port]?.popLast() }) {
            // A server may have closed it in the meantime; then it has read nothing.
            if let answer = try? exchange(request, over: socket, to: port) { return answer }
        }
        return try exchange(request, over: connected(to: port), to: port)
    }

    private static func connected(to port: UInt16) throws -> Int32 {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw failure("socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            defer { close(socket) }
            throw failure("connect")
        }
        return socket
    }

    private static func exchange(_ request: [UInt8], over socket: Int32, to port: UInt16) throws -> Answer {
        let start = ContinuousClock.now
        do {
            var sent = 0
            while sent < request.count {
                let count = request.withUnsafeBytes {
                    send(socket, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw failure("send") }
                sent += count
            }
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            var received = 0
            var lengths: (head: Int, whole: Int)?
            while lengths.map({ received < $0.whole }) ?? true {
                let count = bytes.withUnsafeMutableBytes {
                    recv(socket, $0.baseAddress?.advanced(by: received), $0.count - received - 1, 0)
                }
                guard count > 0 else { throw failure("recv (\(received) bytes so far)") }
                received += count
                if lengths == nil { lengths = self.lengths(of: bytes) }
            }
            let duration = ContinuousClock.now - start
            idle.withLock { $0[port, default: []].append(socket) }
            bytes.removeLast(bytes.count - received)
            return Answer(bytes: bytes, headLength: lengths?.head ?? 0, duration: duration)
        } catch {
            close(socket)
            throw error
        }
    }

    /// Bytes of the head, and of head and body; nil while the head is incomplete.
    private static func lengths(of answer: [UInt8]) -> (head: Int, whole: Int)? {
        // Zeros follow what has come.
        answer.withUnsafeBytes { bytes in
            guard let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress,
                let end = strstr(start, "\r\n\r\n"), let field = strstr(start, "Content-Length: ")
            else { return nil }
            let head = start.distance(to: end) + 4
            return (head, head + strtol(field.advanced(by: 16), nil, 10))
        }
    }

    private static func failure(_ call: String) -> ChaosError {
        ChaosError("\(call): \(String(cString: strerror(errno)))")
    }
}

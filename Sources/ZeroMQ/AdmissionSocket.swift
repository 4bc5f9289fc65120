internal import CZeroMQ

/// Where libzmq asks whether a peer that has proved its key may come in (RFC 27, ZAP): one for a context, bound before
/// the first socket that wants it. Used by one thread at a time.
package final class AdmissionSocket: @unchecked Sendable {  // one thread at a time owns it, as libzmq asks
    /// What is asked.
    package struct Request: Sendable {
        let number: [UInt8]
        /// The peer's, without a port.
        package let address: String
        /// `nil` for a mechanism that is not CURVE.
        package let key: CurvePublicKey?
    }

    static let domain = "nephele"
    private static let endpoint = "inproc://zeromq.zap.01"
    private static let version = [UInt8]("1.0".utf8)
    /// version, number, domain, address, routing id, mechanism, key
    private static let parts = 7

    private let socket: ZeroMQSocket

    /// - Throws: `ZeroMQError`.
    package init(_ context: ZeroMQContext) throws {
        socket = try ZeroMQSocket(context, .reply)
        _ = try socket.bind(Self.endpoint)
    }

    package func descriptor() throws -> Int32 { try socket.descriptor() }

    package func close() { socket.close() }

    /// The next question, without waiting; to be answered before the next one.
    package func next() throws -> Request? {
        guard let parts = try socket.receiveAll(limit: Self.parts) else { return nil }
        guard parts.count == Self.parts, parts[0] == Self.version else {
            return Request(number: parts.count > 1 ? parts[1] : [], address: "", key: nil)
        }
        let isCurve = parts[5] == [UInt8]("CURVE".utf8)
        return Request(
            number: parts[1], address: String(decoding: parts[3], as: UTF8.self),
            key: isCurve ? CurvePublicKey(bytes: parts[6]) : nil)
    }

    package func answer(_ request: Request, isAdmitted: Bool) throws {
        let user = isAdmitted ? request.key?.text ?? "" : ""
        let parts: [[UInt8]] = [
            Self.version, request.number, Array((isAdmitted ? "200" : "400").utf8),
            Array((isAdmitted ? "OK" : "not on the list").utf8), Array(user.utf8), [],
        ]
        for (index, part) in parts.enumerated() {
            let more = index < parts.count - 1
            guard try part.withUnsafeBytes({ try socket.send($0.bytes, more: more) }) else { return }
        }
    }
}

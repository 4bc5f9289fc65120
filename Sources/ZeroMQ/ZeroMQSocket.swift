internal import CZeroMQ

/// A libzmq socket. Used by one thread at a time; handing it on needs a lock or queue between.
package final class ZeroMQSocket: @unchecked Sendable {  // one thread at a time owns it, as libzmq asks
    package enum Kind: Sendable {
        case router
        case dealer
        case pair
        case reply

        var number: Int32 {
            switch self {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .pair: ZMQ_PAIR
            case .reply: ZMQ_REP
            }
        }
    }

    private static let maximumParts = 2

    let handle: UnsafeMutableRawPointer
    private let context: ZeroMQContext
    private let parts: UnsafeMutablePointer<zmq_msg_t>
    private(set) var isOpen = true

    /// - Throws: `ZeroMQError`.
    package init(_ context: ZeroMQContext, _ kind: Kind) throws {
        guard let handle = zmq_socket(context.handle, kind.number) else {
            throw ZeroMQError(operation: "zmq_socket", number: zmq_errno())
        }
        self.handle = handle
        self.context = context
        parts = .allocate(capacity: Self.maximumParts)
        for index in 0..<Self.maximumParts { zmq_msg_init(parts + index) }
        try set(ZMQ_LINGER, 0)
    }

    deinit {
        close()
        for index in 0..<Self.maximumParts { zmq_msg_close(parts + index) }
        parts.deallocate()
    }

    /// What was not sent is dropped.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        zmq_close(handle)
    }

    // MARK: Options

    private func set(_ option: Int32, _ value: Int32) throws(ZeroMQError) {
        var value = value
        try check("zmq_setsockopt \(option)") {
            zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size)
        }
    }

    /// Messages that may wait in each direction.
    package func setHighWaterMarks(_ messages: Int) throws(ZeroMQError) {
        try set(ZMQ_SNDHWM, Int32(clamping: messages))
        try set(ZMQ_RCVHWM, Int32(clamping: messages))
    }

    /// libzmq drops the connection of a peer that sends a larger part.
    package func setMaximumPartSize(_ bytes: Int) throws(ZeroMQError) {
        var value = Int64(bytes)
        try check("zmq_setsockopt MAXMSGSIZE") {
            zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &value, MemoryLayout<Int64>.size)
        }
    }

    /// A lost connection stays lost: one socket is one connection.
    package func disableReconnecting() throws(ZeroMQError) {
        try set(ZMQ_RECONNECT_IVL, -1)
    }

    /// Sending to a peer that is gone is an error instead of silence.
    package func makeRoutingMandatory() throws(ZeroMQError) {
        try set(ZMQ_ROUTER_MANDATORY, 1)
    }

    /// How long `close` goes on sending behind the scenes.
    package func setLinger(_ milliseconds: Int) throws(ZeroMQError) {
        try set(ZMQ_LINGER, Int32(clamping: milliseconds))
    }

    package func setHandshakeTimeout(_ milliseconds: Int) throws(ZeroMQError) {
        try set(ZMQ_HANDSHAKE_IVL, Int32(clamping: milliseconds))
    }

    // MARK: Keys

    private func set(_ option: Int32, _ text: String) throws(ZeroMQError) {
        try check("zmq_setsockopt \(option)") { zmq_setsockopt(handle, option, text, text.utf8.count) }
    }

    /// Peers have to know the public key, and are let in by whoever answers at the context's `AdmissionSocket`. Without
    /// one libzmq lets everybody in (to demand one is a draft option): whose `senderKey` is nil must be refused.
    package func serveWithKeys(_ own: CurveKeyPair) throws(ZeroMQError) {
        try set(ZMQ_CURVE_SERVER, 1)
        try set(ZMQ_CURVE_SECRETKEY, own.secretText)
        try set(ZMQ_ZAP_DOMAIN, AdmissionSocket.domain)
    }

    /// Connects to the holder of `server`'s secret key only.
    package func connectWithKeys(_ own: CurveKeyPair, server: CurvePublicKey) throws(ZeroMQError) {
        try set(ZMQ_CURVE_SERVERKEY, server.text)
        try set(ZMQ_CURVE_PUBLICKEY, own.publicKey.text)
        try set(ZMQ_CURVE_SECRETKEY, own.secretText)
    }

    /// The key of the peer that sent the last received message; `nil` where its connection has none.
    package var senderKey: CurvePublicKey? {
        guard let text = zmq_msg_gets(parts + Self.maximumParts - 1, "User-Id") else { return nil }
        return CurvePublicKey(String(cString: text))
    }

    // MARK: Endpoints

    /// - Returns: the endpoint bound, wildcard ports resolved.
    package func bind(_ endpoint: String) throws(ZeroMQError) -> String {
        try allowIPv6(endpoint)
        try check("binding \(endpoint)") { zmq_bind(handle, endpoint) }
        var size = 512
        var buffer = [UInt8](repeating: 0, count: size)
        try check("zmq_getsockopt LAST_ENDPOINT") { zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &buffer, &size) }
        return String(decoding: buffer.prefix(max(0, size - 1)), as: UTF8.self)
    }

    /// Only where it is asked for: it would show 127.0.0.1 as ::ffff:127.0.0.1.
    private func allowIPv6(_ endpoint: String) throws(ZeroMQError) {
        if endpoint.hasPrefix("tcp://[") || endpoint.hasPrefix("tcp://*") { try set(ZMQ_IPV6, 1) }
    }

    package func connect(_ endpoint: String) throws(ZeroMQError) {
        try allowIPv6(endpoint)
        try check("connecting to \(endpoint)") { zmq_connect(handle, endpoint) }
    }

    /// Becomes readable when there may be something to receive; edge-triggered: receive until `nil` before waiting.
    package func descriptor() throws(ZeroMQError) -> Int32 {
        var descriptor: Int32 = -1
        var size = MemoryLayout<Int32>.size
        try check("zmq_getsockopt FD") { zmq_getsockopt(handle, ZMQ_FD, &descriptor, &size) }
        return descriptor
    }

    /// Whether `receive` may find something. Sending takes the descriptor's signals; this tells what they said.
    package var mayReceive: Bool {
        var events: Int32 = 0
        var size = MemoryLayout<Int32>.size
        guard zmq_getsockopt(handle, ZMQ_EVENTS, &events, &size) == 0 else { return true }
        return events & ZMQ_POLLIN != 0
    }

    // MARK: Messages

    /// Copies the bytes into libzmq without waiting.
    /// - Returns: false when the peer's queue is full (or the peer is not yet connected).
    package func send(_ bytes: RawSpan, more: Bool) throws(ZeroMQError) -> Bool {
        let flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)
        let code = try bytes.withUnsafeBytes { buffer throws(ZeroMQError) in
            try check("zmq_send") { zmq_send(handle, buffer.baseAddress, buffer.count, flags) }
        }
        return code != nil
    }

    /// Receives a message of exactly `count` parts (1 or 2) without waiting and hands them to `body` where they lie
    /// (the route is empty when there is one). A message of another size comes with its route and an empty packet, which
    /// nobody sends.
    /// - Returns: whether anything was there.
    /// - Throws: `ZeroMQError`, and what `body` throws.
    package func receive(
        parts count: Int, _ body: (_ route: RawSpan, _ packet: RawSpan, _ source: Int32) throws -> Void
    ) throws -> Bool {
        precondition(count == 1 || count == 2, "messages of \(count) parts; the bus has 1 or 2")
        var received = 0
        var more = true
        while more {
            let slot = parts + min(received, Self.maximumParts - 1)
            guard try check("zmq_msg_recv", { zmq_msg_recv(slot, handle, ZMQ_DONTWAIT) }) != nil else { return false }
            received += 1
            more = zmq_msg_more(slot) != 0
        }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let route = count == 2 ? span(0) : nothing
        guard received == count else {
            try body(route.bytes, nothing.bytes, zmq_msg_get(parts, ZMQ_SRCFD))
            return true
        }
        try body(route.bytes, span(count - 1).bytes, zmq_msg_get(parts + count - 1, ZMQ_SRCFD))
        return true
    }

    /// Receives a message of whatever number of parts, for what is rare; of those beyond `limit` nothing is kept.
    /// - Returns: `nil` when nothing is there.
    func receiveAll(limit: Int) throws(ZeroMQError) -> [[UInt8]]? {
        var received: [[UInt8]] = []
        var more = true
        while more {
            guard try check("zmq_msg_recv", { zmq_msg_recv(parts, handle, ZMQ_DONTWAIT) }) != nil else { return nil }
            if received.count <= limit { received.append([UInt8](span(0))) }
            more = zmq_msg_more(parts) != 0
        }
        return received
    }

    private func span(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: zmq_msg_data(parts + index), count: zmq_msg_size(parts + index))
    }
}

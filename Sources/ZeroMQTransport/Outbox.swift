internal import DequeModule
internal import Messages
internal import RPC
internal import Synchronization

/// The frames on their way to one peer. Many threads put them in, the socket thread takes them out in packets: what
/// came while it was busy goes together.
final class Outbox: Sendable {
    private struct State {
        var packet: [UInt8] = []
        /// Packets that take no further frame, before `packet`.
        var full: Deque<[UInt8]> = []
        /// A buffer whose memory is used again.
        var spare: [UInt8] = []
        var isAnnounced = false
        var isClosed = false
    }

    private let state = Mutex(State())
    /// A packet that has reached this takes no further frame.
    private static let fullBytes = 64 << 10

    /// The largest packet within these limits.
    static func maximumPacketBytes(_ limits: BusLimits) -> Int {
        fullBytes + Packet.prefixBytes + limits.headerBytes + max(limits.messageBytes, limits.chunkBytes)
    }

    /// - Returns: whether the socket thread has to be told.
    func append(_ header: [UInt8], _ body: FrameBody) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            body.withSpan { Packet.append(header, $0, to: &state.packet) }
            if state.packet.count >= Self.fullBytes {
                state.full.append(state.packet)
                state.packet = []
            }
            defer { state.isAnnounced = true }
            return !state.isAnnounced
        }
    }

    /// Sends all packets, until `transmit` says that there is no room.
    /// - Returns: whether everything is sent.
    func flush(_ transmit: ([UInt8]) throws -> Bool) rethrows -> Bool {
        while var packet = take() {
            guard try transmit(packet) else {
                state.withLock { $0.full.prepend(packet) }
                return false
            }
            guard packet.capacity <= 2 * Self.fullBytes else { continue }
            packet.removeAll(keepingCapacity: true)
            state.withLock { $0.spare = packet }
        }
        return true
    }

    private func take() -> [UInt8]? {
        state.withLock { state in
            if let packet = state.full.popFirst() { return packet }
            state.isAnnounced = !state.packet.isEmpty
            guard state.isAnnounced else { return nil }
            var packet: [UInt8] = []
            swap(&packet, &state.spare)
            swap(&packet, &state.packet)
            return packet
        }
    }

    /// Drops what waits and what comes later.
    func close() {
        state.withLock { state in
            state = State()
            state.isClosed = true
        }
    }
}

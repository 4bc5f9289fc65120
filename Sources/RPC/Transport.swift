package import Concurrency
package import Messages

/// The body of a frame on its way out.
package enum FrameBody: Sendable {
    case bytes([UInt8])
    /// A piece of an attachment, read where it lies.
    case attachment(Attachment, Range<Int>)

    package static var empty: FrameBody { .bytes([]) }

    package func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        switch self {
        case .bytes(let bytes): try bytes.withSpan(body)
        case .attachment(let attachment, let range): try attachment.withSpan(range, body)
        }
    }
}

/// One way out to one peer.
package protocol FrameLink: Sendable {
    /// Queues a frame, its header encoded, in order and returns at once, from any thread; dropped when the link is
    /// down.
    /// - Parameter canWait: whether more frames are likely to follow soon, so that it may travel with them; otherwise it
    ///   is sent the shortest way.
    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool)
    /// The receiver wants to be ticked earlier than it last said.
    func tickSoon()
    /// Ends the connection; nothing more is sent or received. Frames sent before may still pass.
    func close()
}

extension FrameLink {
    func send(_ header: FrameHeader, _ body: FrameBody, canWait: Bool = true) {
        send(encoded: header.encodedFromTemplate(), body, canWait: canWait)
    }
}

/// Takes what one peer sends. Called by the transport's thread only, one call at a time.
package protocol FrameReceiver: AnyObject, Sendable {
    func receive(_ header: RawSpan, _ body: RawSpan)
    /// The peer has given a sign of life; called before the frames that came together.
    func heard()
    /// Heartbeats, silence and deadlines.
    /// - Returns: when it wants to be called next, at the latest.
    func tick(_ now: MonotonicInstant) -> MonotonicInstant
    /// The transport lost the peer. Called at most once, and nothing after it.
    func linkDown(_ reason: String)
}

/// How a server is reached.
package protocol ServerTransport: Sendable {
    /// Binds, and from now on makes a receiver for each peer that speaks.
    /// - Returns: the address to dial, with the real port where port 0 was asked for.
    /// - Throws: `RPCError`, when the address cannot be bound.
    func start(accept: @escaping @Sendable (any FrameLink) -> any FrameReceiver) throws -> String
    /// Unbinds, drops every peer, frees the address.
    func stop()
}

/// How a client reaches an address that a resolver found.
package protocol ClientTransport: Sendable {
    /// Starts to connect without waiting for it: what is sent meanwhile is queued.
    /// - Throws: `RPCError`, when the address is none of this transport's.
    func dial(_ address: String, _ receiver: (any FrameLink) -> any FrameReceiver) throws
}

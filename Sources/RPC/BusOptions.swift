/// What a peer may send; beyond it the frame, call or peer is refused.
package struct BusLimits: Sendable, Equatable {
    package var headerBytes = 16 << 10
    package var messageBytes = 4 << 20
    package var attachmentBytes = 64 << 20
    package var attachmentsPerCall = 8
    /// The largest CHUNK.
    package var chunkBytes = 1 << 20
    /// Attachment bytes that one peer may have under way towards us, over all its calls.
    package var inboundAttachmentBytes = 1 << 30
    /// Calls that a server runs at once; the next is RESOURCE_EXHAUSTED.
    package var runningCalls = 4096
    /// Messages and bytes of one reply stream that may wait unread at the client.
    package var windowMessages = 256
    package var windowBytes = 1 << 20
    /// Chunk bytes of one connection and direction that may be on their way: heartbeats wait behind no more.
    package var chunkWindowBytes = 4 << 20

    package init() {}
}

/// The bus's clockwork. Tests make it faster; nothing else should.
package struct BusTiming: Sendable, Equatable {
    package var heartbeat: Duration = .milliseconds(500)
    /// Silence after which a connection epoch is over.
    package var silence: Duration = .seconds(3)
    package var resolve: Duration = .seconds(1)
    /// Wait before an address that failed is dialled again; doubles up to `redialLimit`. So often, too, the resolver is
    /// asked while there is no instance to be called.
    package var redial: Duration = .milliseconds(100)
    package var redialLimit: Duration = .seconds(2)
    /// How long an engine's step may take at least before the instance counts as stuck.
    package var stuck: Duration = .seconds(30)

    package init() {}
}

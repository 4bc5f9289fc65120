internal import RPC

/// Dials the instances of one target, whose key is that of the target's name: addresses have none.
struct KeyedClientTransport: ClientTransport {
    let transport: ZeroMQTransport
    /// The target's.
    let host: String

    func dial(_ address: String, _ receiver: (any FrameLink) -> any FrameReceiver) throws {
        try transport.dial(address, host: host, receiver)
    }
}

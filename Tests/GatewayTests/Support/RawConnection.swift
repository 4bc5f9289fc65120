import NIOCore
import NIOPosix

/// What a server says to bytes, until it closes or has said enough.
func exchange(
    _ pieces: [String], port: Int, until isEnough: (String) -> Bool = { _ in false }
) async throws -> String {
    try await exchange(port: port, until: isEnough) { $0 < pieces.count ? pieces[$0] : nil }
}

/// What a server says to the pieces with the numbers 0, 1, 2 and so on, sent one after the other with a pause between.
func exchange(
    port: Int, every pause: Duration = .zero, until isEnough: (String) -> Bool = { _ in false },
    piece: @escaping @Sendable (Int) -> String?
) async throws -> String {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await channel.executeThenClose { inbound, outbound in
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 0... {
                    guard let piece = piece(number) else { return }
                    // The server may have closed meanwhile.
                    guard (try? await outbound.write(ByteBuffer(string: piece))) != nil else { return }
                    if pause > .zero { try await Task.sleep(for: pause) }
                }
            }
            defer { group.cancelAll() }
            var said: [UInt8] = []
            do {
                for try await bytes in inbound {
                    said += bytes.readableBytesView
                    if isEnough(String(decoding: said, as: UTF8.self)) { break }
                }
            } catch is IOError {}
            return String(decoding: said, as: UTF8.self)
        }
    }
}

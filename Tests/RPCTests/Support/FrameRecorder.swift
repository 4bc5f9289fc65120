import Messages
import RPC
import Synchronization

/// A link that keeps what is sent.
final class FrameRecorder: FrameLink {
    private let frames = Mutex<[(header: FrameHeader, body: [UInt8])]>([])
    private let closed = Mutex(false)

    var isClosed: Bool { closed.withLock { $0 } }

    func tickSoon() {}

    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool) {
        let bytes = body.withSpan { [UInt8](copying: $0) }
        guard let header = try? FrameHeader(decoding: header) else { return }
        frames.withLock { $0.append((header, bytes)) }
    }

    func close() { closed.withLock { $0 = true } }

    /// What was sent since the last time.
    func take() -> [(header: FrameHeader, body: [UInt8])] {
        frames.withLock { frames in
            defer { frames = [] }
            return frames
        }
    }
}

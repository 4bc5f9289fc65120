import Concurrency
import ContentLabels
import Messages
import NIOCore
import NIOPosix
import PNG
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct OffEventLoopTests {
    private final class End: Sendable {
        private let state = Mutex(false)
        var hasCome: Bool { state.withLock { $0 } }
        func come() { state.withLock { $0 = true } }
    }

    @Test func `a mark on a large picture holds no connection up`() async throws {
        var pictures = LabelPolicy.off.pictures
        pictures.isMarked = true
        let labeller = PictureLabeller(
            pictures: pictures, requestID: "r", model: "m", revision: "", prompt: "", negativePrompt: "")
        let side = 1_024
        let rgba = (0..<side * side * 4).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ $0 >> 9) }
        let file = Attachment(try PNG.encode(rgba: rgba, width: side, height: side))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let end = End()
        try await withTaskExecutorPreference(FunctionExecutor(loop)) {
            async let marked = {
                let size = UInt32(side)
                let marked = try await labeller.label(
                    file, of: Wire.DrawnPicture(index: 0, seed: 1, width: size, height: size))
                end.come()
                return marked
            }()
            // Behind the labelling's beginning in the loop's queue.
            try await loop.submit {}.get()
            #expect(!end.hasCome)
            #expect(try await marked.array != file.array)
        }
    }
}

import Tensors

/// A drawing after some of its steps: what an instance carries on from where another one was lost.
package struct DiffusionCheckpoint: Sendable {
    /// Steps that are done, and all of them.
    package let step: Int, steps: Int
    /// `[pictures, C, h, w]`.
    let latents: Tensor
    /// What the noise scheduler remembers of the steps; empty for one that looks at the latents alone.
    let history: [UInt8]

    init(step: Int, steps: Int, latents: Tensor, history: [UInt8]) {
        (self.step, self.steps, self.latents, self.history) = (step, steps, latents, history)
    }

    // MARK: Bytes

    /// «NDC», and the version of the layout.
    private static let signature: UInt32 = 0x4E44_4301
    private static let headerWords = 8

    /// Eight 32-bit words, little-endian (signature, step, steps, the four extents of the latents, bytes of the history),
    /// then the latents as f32, then the history.
    package var bytes: [UInt8] {
        let words =
            [Self.signature]
            + ([step, steps] + latents.shape + [history.count]).map {
                UInt32(truncatingIfNeeded: $0)
            }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * words.count + latents.byteCount + history.count)
        for word in words {
            for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        return bytes + latents.bytes + history
    }

    /// - Throws: `DiffusionError.invalidRequest` for bytes that are no checkpoint.
    package init(bytes: [UInt8]) throws(DiffusionError) {
        let header = 4 * Self.headerWords
        func word(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << UInt32(8 * $1) }
        }
        guard bytes.count >= header, word(0) == Self.signature else {
            throw DiffusionError(.invalidRequest, "\(bytes.count) bytes that are no checkpoint of this version")
        }
        (step, steps) = (Int(word(1)), Int(word(2)))
        let shape = (3..<7).map { Int(word($0)) }, historyCount = Int(word(7))
        var count = 1
        for side in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: side)
            guard !overflow, product > 0 else {
                throw DiffusionError(.invalidRequest, "a checkpoint of shape \(shape)")
            }
            count = product
        }
        let rest = bytes.count - header - historyCount
        guard step <= steps, rest % 4 == 0, rest / 4 == count else {
            throw DiffusionError(
                .invalidRequest,
                "a checkpoint of step \(step) of \(steps), shape \(shape), in \(bytes.count) bytes")
        }
        do {
            latents = try Tensor(f32: bytes[header..<header + 4 * count], shape: shape)
        } catch { throw DiffusionError(error) }
        history = Array(bytes.suffix(historyCount))
    }
}

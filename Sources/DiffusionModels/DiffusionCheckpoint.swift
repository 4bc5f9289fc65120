/// A drawing on its way: what an instance carries on from where another one was lost.
package struct DiffusionCheckpoint: Sendable, Equatable {
    /// Steps that are done, of so many.
    package let step: Int, steps: Int
    /// [pictures, C, h, w].
    let shape: [Int]
    /// [C, h, w] of each picture.
    let samples: [[Float]]

    init(step: Int, steps: Int, shape: [Int], samples: [[Float]]) {
        (self.step, self.steps, self.shape, self.samples) = (step, steps, shape, samples)
    }

    // MARK: Bytes

    /// «NDC», and the version of the layout.
    private static let signature: UInt32 = 0x4E44_4301

    /// Eight 32-bit words, little-endian (signature, step, steps, the shape, zero), and the samples as f32.
    package var bytes: [UInt8] {
        let words = [Self.signature] + ([step, steps] + shape + [0]).map { UInt32(truncatingIfNeeded: $0) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * (words.count + samples.reduce(0) { $0 + $1.count }))
        func append(_ word: UInt32) {
            for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        for word in words { append(word) }
        for sample in samples { for value in sample { append(value.bitPattern) } }
        return bytes
    }

    /// - Throws: `DiffusionError.invalidRequest` for bytes that are no checkpoint.
    package init(bytes: [UInt8]) throws(DiffusionError) {
        func word(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << UInt32(8 * $1) }
        }
        let header = 8
        guard bytes.count >= 4 * header, word(0) == Self.signature else {
            throw DiffusionError(.invalidRequest, "\(bytes.count) bytes that are no checkpoint of this version")
        }
        (step, steps) = (Int(word(1)), Int(word(2)))
        let shape = (3..<7).map { Int(word($0)) }
        var count = 1
        for side in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: side)
            guard !overflow, product > 0 else {
                throw DiffusionError(.invalidRequest, "a checkpoint of shape \(shape)")
            }
            count = product
        }
        guard step <= steps, (bytes.count - 4 * header) % 4 == 0, (bytes.count - 4 * header) / 4 == count else {
            throw DiffusionError(
                .invalidRequest,
                "a checkpoint of step \(step) of \(steps), shape \(shape), in \(bytes.count) bytes")
        }
        let size = count / shape[0]
        samples = (0..<shape[0]).map { picture in
            (0..<size).map { Float(bitPattern: word(header + picture * size + $0)) }
        }
        self.shape = shape
    }
}

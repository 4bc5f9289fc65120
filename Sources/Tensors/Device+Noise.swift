import Glibc

extension Device {
    /// Fills one row of y with standard normal numbers: Box–Muller on Philox4x32-10.
    ///
    /// Each number is a pure function of seed, step, draw and its place in the row. It is computed in double precision and
    /// rounded once, so that it is the same on every C library.
    ///
    /// - Parameters:
    ///   - y: `[rows, N]`.
    ///   - step: of the drawing; 0 for what it begins with.
    ///   - draw: counts what one step draws.
    package func fillNormal(_ y: Tensor, row: Int, seed: UInt64, step: Int, draw: Int = 0) {
        precondition(row >= 0 && row < y.rowCount, "row \(row) of \(y.shape)")
        let philox = Philox(seed: seed), count = y.width, out = y.f32 + row * count
        for block in 0..<(count + 3) / 4 {
            let words = philox.block(
                (
                    UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: step),
                    UInt32(truncatingIfNeeded: draw),
                    0xD1FF
                ))
            let (first, second) = (Self.normalPair(words.0, words.1), Self.normalPair(words.2, words.3))
            let at = 4 * block
            out[at] = first.0
            if at + 1 < count { out[at + 1] = first.1 }
            if at + 2 < count { out[at + 2] = second.0 }
            if at + 3 < count { out[at + 3] = second.1 }
        }
    }

    /// Two independent standard normal numbers from two random words.
    private static func normalPair(_ a: UInt32, _ b: UInt32) -> (Float, Float) {
        let radius = (-2 * log((Double(a) + 1) * 0x1p-32)).squareRoot(), angle = 2 * Double.pi * Double(b) * 0x1p-32
        return (Float(radius * cos(angle)), Float(radius * sin(angle)))
    }
}

extension Tensor {
    /// The quantile of the elements' magnitudes, with linear interpolation between order statistics as torch.quantile has
    /// it.
    ///
    /// - Parameter ratio: 0 (the smallest) to 1 (the largest).
    package func magnitudeQuantile(_ ratio: Float) -> Float {
        guard count > 0 else { return 0 }
        let place = ratio * Float(count - 1)
        let low = Int(place)
        guard low + 1 < count else { return magnitude(rank: count - 1) }
        let below = magnitude(rank: low), above = magnitude(rank: low + 1)
        return below + (above - below) * (place - Float(low))
    }

    /// The magnitude that has `rank` others before it in ascending order. Magnitudes order as their bits do, so it is found
    /// bit by bit, by counting.
    private func magnitude(rank: Int) -> Float {
        let elements = UnsafeBufferPointer(start: f32, count: count)
        var found: UInt32 = 0
        for bit in (0..<31).reversed() {
            let candidate = found | 1 << UInt32(bit)
            var below = 0
            for element in elements where element.magnitude.bitPattern < candidate { below += 1 }
            if below <= rank { found = candidate }
        }
        return Float(bitPattern: found)
    }
}

/// A picture as text: two pixels a character by `▀`, in 24-bit colour (ISO 8613-6, SGR 38;2 and 48;2).
package enum HalfBlockPicture {
    /// Lines for a terminal, without line ends. Clear pixels show the terminal's own ground.
    ///
    /// - Parameter rgba: `width · height · 4` bytes, rows from the top, not premultiplied.
    package static func lines(rgba: [UInt8], width: Int, height: Int) -> [String] {
        precondition(rgba.count == width * height * 4, "\(rgba.count) bytes are no picture of \(width) × \(height)")
        return stride(from: 0, to: height, by: 2).map { y in
            var line = ""
            for x in 0..<width {
                let upper = colour(rgba, (y * width + x) * 4)
                let lower = y + 1 < height ? colour(rgba, ((y + 1) * width + x) * 4) : nil
                switch (upper, lower) {
                case (nil, nil): line += "\u{1B}[0m "
                case (let upper?, nil): line += "\u{1B}[0;38;2;\(upper)m▀"
                case (nil, let lower?): line += "\u{1B}[0;38;2;\(lower)m▄"
                case (let upper?, let lower?): line += "\u{1B}[0;38;2;\(upper);48;2;\(lower)m▀"
                }
            }
            return line + "\u{1B}[0m"
        }
    }

    private static func colour(_ rgba: [UInt8], _ offset: Int) -> String? {
        rgba[offset + 3] < 128 ? nil : "\(rgba[offset]);\(rgba[offset + 1]);\(rgba[offset + 2])"
    }
}

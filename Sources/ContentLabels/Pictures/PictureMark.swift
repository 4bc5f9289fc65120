/// The visible mark: «AI生成» in white on a dark field in the lower right corner, at least 5% of the shorter side high, as
/// GB 45438-2025 asks of text on pictures. Where that does not fit (pictures less than 37 pixels wide or 30 high) there
/// is «AI» alone, which is less than the standard asks; a picture of less than 16 pixels stays as it is.
enum PictureMark {
    private static let word = rows(
        [
            ".....  ...  .....#.....  ......#.#..", ".....  ...  ..#..#.....  ......#..#.",
            ".###.  ###  ..#..#.....  .##########", "#...#  .#.  ..#########  .#....#....",
            "#...#  .#.  .#...#.....  .#....#..#.", "#...#  .#.  .....#.....  .####.#..#.",
            "#####  .#.  .#########.  .#..#.#.#..", "#...#  .#.  .....#.....  .#..#..#...",
            "#...#  .#.  .....#.....  .#..#..#..#", "#...#  ###  .....#.....  .#.#..#.#.#",
            ".....  ...  ###########  #....#...##",
        ])
    private static let short = rows([".#. ###", "#.# .#.", "### .#.", "#.# .#.", "#.# ###"])

    private static func rows(_ rows: [String]) -> [[Bool]] {
        rows.map { row in
            // One column between letters is enough.
            row.replacing("  ", with: " ").map { $0 == "#" }
        }
    }

    /// - Parameters:
    ///   - rgba: `width · height · 4` bytes, alpha not premultiplied.
    static func draw(on rgba: inout [UInt8], width: Int, height: Int) {
        guard min(width, height) >= 16 else { return }
        var (glyphs, margin) = (word, 2)
        var scale = max(1, (min(width, height) + 20 * glyphs.count - 1) / (20 * glyphs.count))
        if (glyphs[0].count + 2 * margin) * scale > width || 2 * (glyphs.count + 2 * margin) * scale > height {
            (glyphs, margin, scale) = (short, 1, 1)
        }
        let (columns, lines) = (glyphs[0].count + 2 * margin, glyphs.count + 2 * margin)
        for y in 0..<lines * scale {
            for x in 0..<columns * scale {
                let (row, column) = (y / scale - margin, x / scale - margin)
                let isInk = glyphs.indices.contains(row) && glyphs[0].indices.contains(column) && glyphs[row][column]
                let at = ((height - lines * scale + y) * width + width - columns * scale + x) * 4
                blend(isInk ? (255, 255) : (0, 176), into: &rgba, at: at)
            }
        }
    }

    /// Lays grey of some alpha over a pixel (Porter and Duff's «over»).
    private static func blend(_ source: (grey: Int, alpha: Int), into rgba: inout [UInt8], at place: Int) {
        let under = Int(rgba[place + 3]) * (255 - source.alpha) / 255
        let alpha = source.alpha + under
        for channel in 0..<3 {
            let sum = source.grey * source.alpha + Int(rgba[place + channel]) * under
            rgba[place + channel] = UInt8(sum / max(1, alpha))
        }
        rgba[place + 3] = UInt8(alpha)
    }
}

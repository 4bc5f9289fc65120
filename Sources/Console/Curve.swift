internal import Foundation

/// A curve of numbers in characters: dots of two by four a cell (Braille patterns, U+2800), with the numbers at both ends of
/// its axis.
package struct Curve: Sendable {
    private var values: [Double] = []

    package init() {}

    package mutating func append(_ value: Double) { if value.isFinite { values.append(value) } }

    /// Lines for a terminal; none before there are two numbers.
    ///
    /// - Parameters:
    ///   - columns: cells of a line, the axis included; at least 16.
    ///   - rows: lines; at least 1.
    package func lines(columns: Int, rows: Int) -> [String] {
        guard values.count > 1, let low = values.min(), let high = values.max() else { return [] }
        let labels = [high, low].map { String(format: "%.3f", $0) }
        let margin = labels.map(\.count).max() ?? 0
        let cells = max(1, columns - margin - 2), dots = (width: 2 * cells, height: 4 * rows)
        var pattern = Array(repeating: Array(repeating: 0 as UInt32, count: cells), count: rows)
        let means = averages(over: dots.width)
        for (x, value) in means.enumerated() {
            let height = high > low ? (value - low) / (high - low) : 0
            let y = dots.height - 1 - Int((height * Double(dots.height - 1)).rounded())
            pattern[y / 4][x / 2] |= Self.dot(x % 2, y % 4)
        }
        return pattern.indices.map { row in
            let label = row == 0 ? labels[0] : row == rows - 1 ? labels[1] : ""
            let axis = String(repeating: " ", count: margin - label.count) + label + " ┤"
            return axis + String(String.UnicodeScalarView(pattern[row].compactMap { Unicode.Scalar(0x2800 + $0) }))
        }
    }

    /// As many numbers as there are dots: the mean of those that share a dot, or what lies between two of few.
    private func averages(over dots: Int) -> [Double] {
        guard values.count < dots else {
            return (0..<dots).map { dot in
                let part = values[dot * values.count / dots..<(dot + 1) * values.count / dots]
                return part.reduce(0, +) / Double(part.count)
            }
        }
        return (0..<dots).map { dot in
            let place = Double(dot * (values.count - 1)) / Double(max(1, dots - 1)), first = Int(place)
            let next = values[min(first + 1, values.count - 1)]
            return values[first] + (next - values[first]) * (place - Double(first))
        }
    }

    /// The bit of a dot in its cell.
    private static func dot(_ x: Int, _ y: Int) -> UInt32 { y == 3 ? 0x40 << UInt32(x) : 1 << UInt32(3 * x + y) }
}

package import DiffusionModels
import Foundation
import PNG
import Tensors

/// What pictures are compared by: «random-convolution-304», which has learned nothing.
///
/// A picture is laid over grey and scaled to 32 × 32 by the mean of the pixels under each. Features are the mean colour of
/// each of 4 × 4 fields (48), and how strongly 64 filters of 5 × 5 answer in each of 2 × 2 fields (256): filters are normal
/// numbers of Philox with seed 0, less their mean and divided by their norm, and the answer is the mean of its size. Random
/// filters see colours, edges and textures, and no things: distances between them are no Fréchet or kernel Inception
/// distances and must not be compared with such.
package enum PictureFeatures {
    package static let name = "random-convolution-304"
    package static let count = 48 + 4 * filterCount

    private static let side = 32, filterCount = 64, filterSide = 5

    /// Filters, `[64, 5, 5, 3]`.
    private static let filters: [[Double]] = {
        let random = Philox(seed: 0)
        let size = filterSide * filterSide * 3
        return (0..<filterCount).map { filter in
            var values = (0..<size).map { place in
                let words = random.block((UInt32(place), UInt32(filter), 0, 0x4B49_44))
                // Box and Muller's method.
                let radius = (-2 * log((Double(words.0) + 1) * 0x1p-32)).squareRoot()
                return radius * cos(2 * .pi * Double(words.1) * 0x1p-32)
            }
            let mean = values.reduce(0, +) / Double(size)
            values = values.map { $0 - mean }
            let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return values.map { $0 / norm }
        }
    }()

    /// - Returns: ``count`` numbers.
    package static func features(of picture: Picture) -> [Double] {
        let pixels = scaled(picture)
        return colours(pixels) + answers(pixels)
    }

    /// 32 × 32 × 3 values in 0…1.
    private static func scaled(_ picture: Picture) -> [Double] {
        var out = [Double](repeating: 0, count: side * side * 3)
        for y in 0..<side {
            let rows = span(y, picture.height)
            for x in 0..<side {
                let columns = span(x, picture.width)
                for row in rows {
                    for column in columns {
                        let place = 4 * (row * picture.width + column)
                        let alpha = Double(picture.rgba[place + 3]) / 255
                        for channel in 0..<3 {
                            let value = Double(picture.rgba[place + channel]) / 255
                            out[(y * side + x) * 3 + channel] += alpha * value + (1 - alpha) * 0.5
                        }
                    }
                }
                let area = Double(rows.count * columns.count)
                for channel in 0..<3 { out[(y * side + x) * 3 + channel] /= area }
            }
        }
        return out
    }

    /// The pixels of `count` under one of 32; one at least.
    private static func span(_ place: Int, _ count: Int) -> Range<Int> {
        let begin = place * count / side
        return begin..<max(begin + 1, (place + 1) * count / side)
    }

    private static func colours(_ pixels: [Double]) -> [Double] {
        let field = side / 4
        var means = [Double](repeating: 0, count: 48)
        for y in 0..<side {
            for x in 0..<side {
                for channel in 0..<3 {
                    means[(y / field * 4 + x / field) * 3 + channel] += pixels[(y * side + x) * 3 + channel]
                }
            }
        }
        return means.map { $0 / Double(field * field) }
    }

    private static func answers(_ pixels: [Double]) -> [Double] {
        let places = side - filterSide + 1, width = filterSide * 3
        var means = [Double](repeating: 0, count: 4 * filterCount)
        for (number, filter) in filters.enumerated() {
            for y in 0..<places {
                for x in 0..<places {
                    var sum = 0.0
                    for row in 0..<filterSide {
                        let begin = ((y + row) * side + x) * 3
                        for offset in 0..<width { sum += pixels[begin + offset] * filter[row * width + offset] }
                    }
                    let field = (2 * y / places) * 2 + 2 * x / places
                    means[4 * number + field] += abs(sum)
                }
            }
        }
        return means.map { $0 / Double(places * places / 4) }
    }
}

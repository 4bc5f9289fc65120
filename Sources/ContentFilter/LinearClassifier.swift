internal import Foundation

/// Logistic regression over hashed features: one weight a bucket and category, eight bits each.
///
/// What it was trained on, what it is good for and what not: «The classifier» in the module's documentation.
struct LinearClassifier: Sendable {
    static let shared = LinearClassifier()

    /// By bucket, a category a lane.
    private let weights: [SIMD4<Int8>]

    private init() {
        let bytes = [UInt8](Data(base64Encoded: Self.base64) ?? Data())
        let width = Self.heads.count
        precondition(
            width <= 4 && bytes.count == width << Int(TextFeatures.bucketBits), "the classifier's weights are cut short"
        )
        weights = stride(from: 0, to: bytes.count, by: width).map { start in
            var row = SIMD4<Int8>()
            for head in 0..<width { row[head] = Int8(bitPattern: bytes[start + head]) }
            return row
        }
    }

    static let categories = heads.map { FilterCategory(rawValue: $0.category) }

    /// The probability of each of `categories`.
    ///
    /// - Parameter text: folded.
    func scores(_ text: ArraySlice<UInt8>) -> [Double] {
        let buckets = TextFeatures(text).buckets
        var sums = SIMD4<Int32>()
        for bucket in buckets { sums &+= SIMD4<Int32>(truncatingIfNeeded: weights[bucket]) }
        let norm = 1 / Double(max(1, buckets.count)).squareRoot()
        return Self.heads.indices.map { index in
            let head = Self.heads[index]
            return 1 / (1 + exp(-(head.bias + head.scale * Double(sums[index]) * norm)))
        }
    }
}

/// Cuts a text into the stretches that the classifier judges: about a sentence each.
struct Sentences: Sendable {
    private static let shortest = 80
    private static let longest = 480

    private(set) var start = 0
    private var position = 0

    mutating func scan(_ text: FoldedText, isWhole: Bool) -> [Range<Int>] {
        var found: [Range<Int>] = []
        let bytes = text.bytes
        var index = position - text.base
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            let length = index + text.base - start
            guard length >= Self.shortest else { continue }
            let ends =
                switch byte {
                case 0x0A, 0x21, 0x2E, 0x3B, 0x3F: true
                case 0x20: length >= Self.longest
                // The last byte of 。
                case 0x82: index >= 3 && bytes[index - 3] == 0xE3 && bytes[index - 2] == 0x80
                default: length >= Self.longest && byte < 0x80
                }
            if ends || length >= 2 * Self.longest && (index == bytes.count || bytes[index] & 0xC0 != 0x80) {
                found.append(start..<index + text.base)
                start = index + text.base
            }
        }
        position = text.end
        if isWhole, start < text.end {
            found.append(start..<text.end)
            start = text.end
        }
        return found
    }
}

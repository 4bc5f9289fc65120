internal import Foundation

/// Logistic regression over hashed features: one weight a bucket and category, eight bits each.
///
/// What it was trained on, what it is good for and what not: «The classifier» in the module's documentation.
struct LinearClassifier: Sendable {
    static let shared = LinearClassifier()

    /// By bucket, a category a lane.
    private let weights: [SIMD8<Int8>]

    private init() {
        let bytes = [UInt8](Data(base64Encoded: Self.base64) ?? Data())
        let width = Self.heads.count
        precondition(
            width <= 8 && bytes.count == width << Int(TextFeatures.bucketBits), "the classifier's weights are cut short"
        )
        weights = stride(from: 0, to: bytes.count, by: width).map { start in
            var row = SIMD8<Int8>()
            for head in 0..<width { row[head] = Int8(bitPattern: bytes[start + head]) }
            return row
        }
    }

    /// The categories that it was trained on, and those that are composed of two.
    static let categories = heads.map { FilterCategory(rawValue: $0.category) } + composed.map(\.category)

    /// Where the sexual score stands among `categories`.
    static let sexual = categories.firstIndex(of: .sexual) ?? 0

    private static let composedHeads: [(Int, Int)] = composed.compactMap { composed in
        guard let one = categories.firstIndex(of: composed.of), let other = categories.firstIndex(of: composed.and)
        else {
            return nil
        }
        return (one, other)
    }

    /// How the sum of a category's weights becomes its score, for text that is Chinese and for other text: 0.5 and 0.7 are
    /// where `Training/train.py` measured the precision that it wants.
    struct Head: Sendable {
        let category: String
        fileprivate let other: (bias: Double, scale: Double)
        fileprivate let chinese: (bias: Double, scale: Double)

        init(_ category: String, _ other: (Double, Double), chinese: (Double, Double)) {
            (self.category, self.other, self.chinese) = (category, other, chinese)
        }
    }

    /// What both of two categories say is a third.
    private static let composed: [(category: FilterCategory, of: FilterCategory, and: FilterCategory)] = [
        (.hateThreatening, .hate, .violence), (.illicitViolent, .illicit, .violence),
    ]

    /// The score of each of `categories`, 0 to 1.
    ///
    /// - Parameter text: folded.
    func scores(_ text: ArraySlice<UInt8>) -> [Double] {
        let features = TextFeatures(text)
        var sums = SIMD8<Int32>()
        // 256 weights of eight bits fit sixteen.
        let buckets = features.buckets
        var start = 0
        while start < buckets.count {
            let end = min(start + 256, buckets.count)
            var part = SIMD8<Int16>()
            for bucket in buckets[start..<end] { part &+= SIMD8<Int16>(truncatingIfNeeded: weights[bucket]) }
            sums &+= SIMD8<Int32>(truncatingIfNeeded: part)
            start = end
        }
        let norm = 1 / Double(max(1, buckets.count)).squareRoot()
        var scores = Self.heads.indices.map { index in
            let head = features.isChinese ? Self.heads[index].chinese : Self.heads[index].other
            return 1 / (1 + exp(-(head.bias + head.scale * Double(sums[index]) * norm)))
        }
        for (one, other) in Self.composedHeads { scores.append(min(scores[one], scores[other])) }
        return scores
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

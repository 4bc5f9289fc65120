internal import Foundation

/// Logistic regression over hashed features: one weight a bucket and category, eight bits each.
///
/// What it was trained on, what it is good for and what not: «The classifier» in the module's documentation.
struct LinearClassifier: Sendable {
    static let shared = LinearClassifier()

    private let weights: [Int8]
    private let width: Int

    private init() {
        weights = [UInt8](Data(base64Encoded: Self.base64) ?? Data()).map { Int8(bitPattern: $0) }
        width = Self.heads.count
        precondition(weights.count == width << Int(TextFeatures.bucketBits), "the classifier's weights are cut short")
    }

    static var categories: [FilterCategory] { heads.map { FilterCategory(rawValue: $0.category) } }

    /// The probability of each of `categories`.
    ///
    /// - Parameter text: folded.
    func scores(_ text: ArraySlice<UInt8>) -> [Double] {
        let buckets = TextFeatures(text).buckets
        var sums = [Int32](repeating: 0, count: width)
        for bucket in buckets {
            let row = bucket &* width
            for head in 0..<width { sums[head] &+= Int32(weights[row &+ head]) }
        }
        let norm = 1 / Double(max(1, buckets.count)).squareRoot()
        return zip(Self.heads, sums).map { head, sum in
            1 / (1 + exp(-(head.bias + head.scale * Double(sum) * norm)))
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

internal import RegularExpressions

/// One pattern over folded text, and what proves a match: a checksum, most often.
package final class PatternDetector: Sendable {
    /// A longer match is none; it bounds how much of a stream is ever held back for a pattern.
    static let lengthLimit = 512

    package let name: String
    package let category: FilterCategory
    package let score: Double
    /// The bytes that a match can begin with; nil for any.
    let starts: ByteSet?
    let expression: RegularExpression
    /// What else must hold of the bytes that match.
    let proof: @Sendable ([UInt8]) -> Bool

    /// - Parameter pattern: Perl-compatible, over folded text; `(?i)` for any case. It looks back 16 characters at most.
    /// - Throws: `FilterError`.
    package init(
        _ name: String, _ category: FilterCategory, score: Double = 1, _ pattern: String,
        proof: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }
    ) throws {
        (self.name, self.category, self.score, self.proof) = (name, category, score, proof)
        do {
            expression = try RegularExpression(pattern)
            starts = expression.firstBytes.map { ByteSet($0) }
        } catch let error as RegularExpression.PatternError {
            throw FilterError("pattern '\(name)': \(error.description)")
        }
        guard expression.lookBehind <= 16 else {
            throw FilterError("pattern '\(name)' looks back \(expression.lookBehind) characters; 16 are kept")
        }
    }

    /// - Parameter start: where to search on, an offset in `text`.
    /// - Returns: matches, and where the next search begins: what precedes can no longer match.
    func scan(_ text: FoldedText, from start: Int, isWhole: Bool) -> (found: [Range<Int>], next: Int) {
        var found: [Range<Int>] = []
        var position = start
        while position < text.end {
            switch expression.search(in: text.bytes, from: position - text.base, isWhole: isWhole) {
            case .none: return (found, text.end)
            case .partial(let start):
                guard text.end - start - text.base > Self.lengthLimit else { return (found, start + text.base) }
                position = self.next(after: start, text)
            case .match(let range) where range.count > Self.lengthLimit:
                position = self.next(after: range.lowerBound, text)
            case .match(let range):
                if proof(Array(text.bytes[range])) {
                    found.append(range.lowerBound + text.base..<range.upperBound + text.base)
                    position = range.upperBound + text.base
                } else {
                    position = self.next(after: range.lowerBound, text)
                }
            }
        }
        return (found, text.end)
    }

    private func next(after index: Int, _ text: FoldedText) -> Int {
        index + FoldedCharacter(text.bytes, at: index).length + text.base
    }
}

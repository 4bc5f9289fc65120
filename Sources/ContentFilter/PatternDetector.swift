internal import RegularExpressions

/// One pattern over folded text, and what proves a match: a checksum, most often.
package final class PatternDetector: Sendable {
    /// A longer match is none; it bounds how much of a stream is ever held back for a pattern.
    static let lengthLimit = 512
    /// Bytes before a hinge.
    static let hingeLimit = 64

    package let name: String
    package let category: FilterCategory
    package let score: Double
    let source: String
    /// The bytes that a match can begin with; nil for any.
    let starts: ByteSet?
    /// For a pattern whose matches all hold an `@`, and begin where a run of these bytes does, `hingeLimit` at most, that
    /// ends there.
    let hinge: ByteSet?
    private let search: RegularExpression
    /// Says what begins at one place. Nil where a pattern looks back further than one character: what came before those
    /// places cannot be tried out.
    let opening: RegularExpression?
    /// How many of the bytes that match are the finding, given what stands before them; nil for none.
    private let proof: @Sendable ([UInt8], PrecedingText) -> Int?

    /// - Parameters:
    ///   - pattern: Perl-compatible, over folded text; `(?i)` for any case. It looks back 16 characters at most.
    ///   - hinge: see `hinge`.
    /// - Throws: `FilterError`.
    package convenience init(
        _ name: String, _ category: FilterCategory, score: Double = 1, _ pattern: String, hinge: String? = nil,
        proof: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }
    ) throws {
        try self.init(
            name, category, score: score, pattern, hinge: hinge, cut: { match, _ in proof(match) ? match.count : nil })
    }

    convenience init(
        _ name: String, _ category: FilterCategory, score: Double, _ pattern: String,
        context proof: @escaping @Sendable ([UInt8], PrecedingText) -> Bool
    ) throws {
        try self.init(
            name, category, score: score, pattern, cut: { match, before in proof(match, before) ? match.count : nil })
    }

    /// - Parameter proof: says how many of the bytes that match are the finding; nil for none.
    init(
        _ name: String, _ category: FilterCategory, score: Double, _ pattern: String, hinge: String? = nil,
        cut proof: @escaping @Sendable ([UInt8], PrecedingText) -> Int?
    ) throws {
        (self.name, self.category, self.score, self.proof) = (name, category, score, proof)
        (source, self.hinge) = (pattern, hinge.map { ByteSet($0.utf8) })
        do {
            search = try RegularExpression(pattern)
            starts = search.firstBytes.map { ByteSet($0) }
            let looksBackForText = pattern.contains("(?<=")
            opening =
                search.lookBehind > 1 || looksBackForText ? nil : try RegularExpression(pattern, isAnchored: true)
        } catch let error as RegularExpression.PatternError {
            throw FilterError("pattern '\(name)': \(error.description)")
        }
        guard search.lookBehind <= 16 else {
            throw FilterError("pattern '\(name)' looks back \(search.lookBehind) characters; 16 are kept")
        }
    }

    /// What a search finds.
    enum Progress {
        case match(Range<Int>)
        /// Something that has no proof, or is too long.
        case rejected(at: Int)
        /// What begins here could become a match with more text.
        case open(from: Int)
        case none
    }

    /// - Parameters:
    ///   - start: where a match begins, or begins at the earliest; an offset in `text`.
    ///   - isExact: whether it begins there or not at all.
    func look(_ text: FoldedText, at start: Int, isExact: Bool, isWhole: Bool) -> Progress {
        let expression = isExact ? opening ?? search : search
        switch expression.search(in: text.bytes, from: start - text.base, isWhole: isWhole) {
        case .none: return .none
        case .partial(let index):
            let isLong = text.end - index - text.base > Self.lengthLimit
            return isLong ? .rejected(at: index + text.base) : .open(from: index + text.base)
        case .match(let range):
            let start = range.lowerBound + text.base
            guard range.count <= Self.lengthLimit,
                let length = proof(Array(text.bytes[range]), PrecedingText(text.bytes[..<range.lowerBound])), length > 0
            else { return .rejected(at: start) }
            return .match(start..<start + length)
        }
    }
}

extension RegularExpression {
    /// Whether a match could begin at `start` with what there is of a text.
    func mayMatch(in bytes: [UInt8], at start: Int) -> Bool {
        search(in: bytes, from: start, isWhole: false) != .none
    }
}

/// What readers of regular expressions share, whatever the dialect: where they are in a text, and how they count.
protocol PatternReader {
    var scalars: [Unicode.Scalar] { get }
    var position: Int { get set }
    /// What errors call the text.
    static var subject: String { get }
}

extension PatternReader {
    /// Groups inside each other, and repetitions, at most.
    static var depthLimit: Int { 100 }
    static var repetitionLimit: Int { 10_000 }

    var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    func fault(_ what: String, _ code: GrammarError.Code = .malformed) -> GrammarError {
        GrammarError(code, "the \(Self.subject)'s character \(position + 1): \(what)")
    }

    mutating func take(_ text: String) -> Bool {
        guard scalars[position...].starts(with: text.unicodeScalars) else { return false }
        position += text.unicodeScalars.count
        return true
    }

    /// A number of repetitions; nil where none stands there.
    mutating func count() throws(GrammarError) -> Int? {
        var value: Int?
        while let digit = current.flatMap({ $0.isASCII ? Character($0).wholeNumberValue : nil }) {
            value = (value ?? 0) * 10 + digit
            position += 1
            guard value ?? 0 <= Self.repetitionLimit else {
                throw fault("more than \(Self.repetitionLimit) repetitions", .tooComplex)
            }
        }
        return value
    }
}

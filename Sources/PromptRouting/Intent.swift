internal import RegularExpressions

/// What a user wants done, told by patterns.
struct Intent: Sendable {
    let name: String
    private let patterns: [RegularExpression]
    /// Expressions of which none may match.
    private let exceptions: [RegularExpression]

    init(name: String, patterns: [RegularExpression], exceptions: [RegularExpression]) {
        (self.name, self.patterns, self.exceptions) = (name, patterns, exceptions)
    }

    func matches(_ text: [UInt8]) -> Bool {
        patterns.contains { $0.matches(text) } && !exceptions.contains { $0.matches(text) }
    }
}

extension RegularExpression {
    /// A pattern over text from outside, case ignored, with a bound on the work that a hostile text can cause.
    static func bounded(_ pattern: String) throws -> RegularExpression {
        try RegularExpression("(*LIMIT_MATCH=50000)(*LIMIT_DEPTH=5000)(?i)" + pattern)
    }

    func matches(_ text: [UInt8]) -> Bool { !matches(in: text, range: 0..<text.count).isEmpty }
}

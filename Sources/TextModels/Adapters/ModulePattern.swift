import RegularExpressions

/// Names of modules, in the ways in which PEFT gives them.
enum ModulePattern: Sendable {
    /// Whole names, or what they end with after a dot.
    case names([String])
    /// An expression that the whole name must match.
    case expression(RegularExpression)
    /// Every linear layer but the head.
    case allLinear

    /// - Throws: `RegularExpression.PatternError`.
    init(expression: String) throws { self = .expression(try RegularExpression("\\A(?:\(expression))\\z")) }

    /// An entry of `rank_pattern` or `alpha_pattern`: an expression for the whole name, or for its end after a dot.
    ///
    /// - Throws: `RegularExpression.PatternError`.
    init(ending: String) throws { self = .expression(try RegularExpression("\\A(?:.*\\.)?(?:\(ending))\\z")) }

    func matches(_ name: String) -> Bool {
        switch self {
        case .names(let names): return names.contains { name == $0 || name.hasSuffix("." + $0) }
        case .expression(let expression):
            let bytes = Array(name.utf8)
            return !expression.matches(in: bytes, range: 0..<bytes.count).isEmpty
        case .allLinear: return true
        }
    }
}

import JSON

/// A grammar in Lark's notation as it is written: definitions, imports and what may stand between words.
struct LarkDocument {
    indirect enum Part {
        /// A text between quotation marks.
        case literal(String, ignoresCase: Bool)
        /// What stands between slashes.
        case expression(String, PythonPatternParser.Flags)
        case range(ClosedRange<UInt32>)
        case name(String)
        case template(String, [Part])
        case sequence([Part])
        case choice([Part])
        case repeated(Part, min: Int, max: Int?)
        /// llguidance's `%json`.
        case value(JSONValue)

        /// With parts in the place of names.
        func replacing(_ scope: [String: Part]) -> Part {
            switch self {
            case .literal, .expression, .range, .value: self
            case .name(let name): scope[name] ?? self
            case .template(let name, let parts): .template(name, parts.map { $0.replacing(scope) })
            case .sequence(let parts): .sequence(parts.map { $0.replacing(scope) })
            case .choice(let parts): .choice(parts.map { $0.replacing(scope) })
            case .repeated(let part, let min, let max): .repeated(part.replacing(scope), min: min, max: max)
            }
        }
    }

    struct Definition {
        var name: String
        /// Names that stand for parts, of a template.
        var parameters: [String] = []
        var part: Part
        /// Whether the shortest word is taken (llguidance's `lazy`).
        var isLazy = false
        var line: Int
    }

    var definitions: [Definition] = []
    /// Names of `common`, by the names that they have here.
    var imports: [String: String] = [:]
    var ignored: [Part] = []

    /// Whether a name is a terminal's: its first letter is a capital one.
    static func isTerminal(_ name: String) -> Bool { name.first { $0 != "_" }?.isUppercase ?? false }
}

/// A set of Unicode scalars, as ranges that neither overlap nor touch, in order.
struct ScalarSet: Sendable, Hashable {
    private(set) var ranges: [ClosedRange<UInt32>]

    static let all = ScalarSet([0...0xD7FF, 0xE000...0x10FFFF])

    /// Ranges in any order; surrogates are left out.
    init(_ ranges: [ClosedRange<UInt32>]) {
        self.ranges = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            for part in Self.withoutSurrogates(range) {
                if let last = self.ranges.last, Int(last.upperBound) + 1 >= Int(part.lowerBound) {
                    self.ranges[self.ranges.count - 1] =
                        last.lowerBound...max(last.upperBound, part.upperBound)
                } else {
                    self.ranges.append(part)
                }
            }
        }
    }

    init(_ scalars: [Unicode.Scalar]) { self.init(scalars.map { $0.value...$0.value }) }

    private static func withoutSurrogates(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
        var parts: [ClosedRange<UInt32>] = []
        if range.lowerBound <= 0xD7FF { parts.append(range.lowerBound...min(range.upperBound, 0xD7FF)) }
        if range.upperBound >= 0xE000 { parts.append(max(range.lowerBound, 0xE000)...min(range.upperBound, 0x10FFFF)) }
        return parts
    }

    func contains(_ scalar: UInt32) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= scalar
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    var inverted: ScalarSet {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= 0x10FFFF { gaps.append(next...0x10FFFF) }
        return ScalarSet(gaps)
    }

    // MARK: ECMA-262's classes, without the flag i

    static let digits = ScalarSet([0x30...0x39])
    static let wordCharacters = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let lineTerminators = ScalarSet([0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029])
    /// WhiteSpace and LineTerminator (ECMA-262, 12.2 and 12.3).
    static let whitespace = ScalarSet([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])

    /// A property of Unicode by ECMA-262's names: a general category, or one of few binary ones; nil for another.
    static func property(_ name: String) -> ScalarSet? {
        let name =
            name.hasPrefix("General_Category=") || name.hasPrefix("gc=")
            ? String(name[name.index(after: name.firstIndex(of: "=")!)...]) : name
        switch name {
        case "Any": return .all
        case "ASCII": return ScalarSet([0...0x7F])
        case "Alphabetic", "Alpha": return scan { $0.isAlphabetic }
        case "Uppercase", "Upper": return scan { $0.isUppercase }
        case "Lowercase", "Lower": return scan { $0.isLowercase }
        case "White_Space", "space": return scan { $0.isWhitespace }
        case "Ideographic", "Ideo": return scan { $0.isIdeographic }
        case "Emoji": return scan { $0.isEmoji }
        case "ID_Start", "IDS": return scan { $0.isIDStart }
        case "ID_Continue", "IDC": return scan { $0.isIDContinue }
        default:
            guard let categories = categories[name] else { return nil }
            return scan { categories.contains($0.generalCategory) }
        }
    }

    private static func scan(_ holds: (Unicode.Scalar.Properties) -> Bool) -> ScalarSet {
        var ranges: [ClosedRange<UInt32>] = []
        for value in 0...UInt32(0x10FFFF) {
            guard let scalar = Unicode.Scalar(value), holds(scalar.properties) else { continue }
            if let last = ranges.last, last.upperBound + 1 == value {
                ranges[ranges.count - 1] = last.lowerBound...value
            } else {
                ranges.append(value...value)
            }
        }
        return ScalarSet(ranges)
    }

    private static let categories: [String: Set<Unicode.GeneralCategory>] = {
        let single: [(String, String, Unicode.GeneralCategory)] = [
            ("Lu", "Uppercase_Letter", .uppercaseLetter), ("Ll", "Lowercase_Letter", .lowercaseLetter),
            ("Lt", "Titlecase_Letter", .titlecaseLetter), ("Lm", "Modifier_Letter", .modifierLetter),
            ("Lo", "Other_Letter", .otherLetter), ("Mn", "Nonspacing_Mark", .nonspacingMark),
            ("Mc", "Spacing_Mark", .spacingMark), ("Me", "Enclosing_Mark", .enclosingMark),
            ("Nd", "Decimal_Number", .decimalNumber), ("Nl", "Letter_Number", .letterNumber),
            ("No", "Other_Number", .otherNumber), ("Pc", "Connector_Punctuation", .connectorPunctuation),
            ("Pd", "Dash_Punctuation", .dashPunctuation), ("Ps", "Open_Punctuation", .openPunctuation),
            ("Pe", "Close_Punctuation", .closePunctuation), ("Pi", "Initial_Punctuation", .initialPunctuation),
            ("Pf", "Final_Punctuation", .finalPunctuation), ("Po", "Other_Punctuation", .otherPunctuation),
            ("Sm", "Math_Symbol", .mathSymbol), ("Sc", "Currency_Symbol", .currencySymbol),
            ("Sk", "Modifier_Symbol", .modifierSymbol), ("So", "Other_Symbol", .otherSymbol),
            ("Zs", "Space_Separator", .spaceSeparator), ("Zl", "Line_Separator", .lineSeparator),
            ("Zp", "Paragraph_Separator", .paragraphSeparator), ("Cc", "Control", .control),
            ("Cf", "Format", .format), ("Co", "Private_Use", .privateUse), ("Cn", "Unassigned", .unassigned),
        ]
        let groups = [
            ("L", "Letter"), ("M", "Mark"), ("N", "Number"), ("P", "Punctuation"), ("S", "Symbol"), ("Z", "Separator"),
            ("C", "Other"),
        ]
        var categories: [String: Set<Unicode.GeneralCategory>] = [:]
        for (short, long, category) in single {
            categories[short] = [category]
            categories[long] = [category]
            for (letter, name) in groups where short.hasPrefix(letter) {
                categories[letter, default: []].insert(category)
                categories[name, default: []].insert(category)
            }
        }
        categories["punct"] = categories["P"]
        categories["digit"] = categories["Nd"]
        categories["LC"] = [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter]
        return categories
    }()
}

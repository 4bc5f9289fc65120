/// An expression as Oniguruma and Rust's `regex` read it, told to PCRE2 in its own terms.
///
/// | there                                  | PCRE2 alone                      | here                                  |
/// |----------------------------------------|----------------------------------|---------------------------------------|
/// | `\w` letters, marks, digits, connectors | no marks, but every number       | the properties                        |
/// | `\s` White_Space                       | U+180E too                       | the characters                        |
/// | `\b` by that `\w`                      | by its own                       | look-around                           |
/// | `\h` a hexadecimal digit               | a blank                          | the digits                            |
/// | `[a[bc]]`, `[a&&[^b]]`                 | plain characters                 | alternatives, look-ahead              |
/// | `\p{Han}` the script                   | its extensions                   | `\p{sc:Han}`                          |
/// | `^`, `$` of a line                     | of the text                      | `(?m:^)`, `(?m:$)`                    |
/// | `{,n}`                                 | plain characters                 | `{0,n}`                               |
///
/// Source: Oniguruma 6.9, doc/RE, and what it matches of every code point.
package struct OnigurumaPattern {
    package enum Dialect: Sendable {
        case oniguruma
        /// Rust's crate, whose words may hold U+200C and U+200D.
        case rust
    }

    private let source: [Unicode.Scalar]
    private let dialect: Dialect
    private var position = 0
    private var depth = 0
    /// What repeats the last element together with its interval.
    private var repetition: String?

    /// - Throws: `RegularExpression.PatternError` for what is not known to mean the same.
    package static func translated(_ pattern: String, _ dialect: Dialect = .oniguruma) throws -> String {
        var translator = OnigurumaPattern(source: Array(pattern.unicodeScalars), dialect: dialect)
        var parts: [String] = []
        while translator.position < translator.source.count {
            let part = try translator.element()
            guard let repetition = translator.repetition else {
                parts.append(part)
                continue
            }
            guard let atom = parts.popLast(), atom != ")" else {
                throw translator.refused("an interval before + or ? behind a group")
            }
            parts.append("(?:\(atom)\(part))\(repetition)")
            translator.repetition = nil
        }
        return parts.joined()
    }

    private init(source: [Unicode.Scalar], dialect: Dialect) { (self.source, self.dialect) = (source, dialect) }

    private func refused(_ what: String) -> RegularExpression.PatternError {
        RegularExpression.PatternError(
            description: "regular expression \"\(String(String.UnicodeScalarView(source)))\": \(what) is not supported")
    }

    private static let space =
        #"\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#
    private static let hexadecimal = "0-9A-Fa-f"

    /// What stands in a class for `\w`.
    private var word: String {
        #"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"# + (dialect == .rust ? #"\x{200c}\x{200d}"# : "")
    }

    /// Outside of a class Oniguruma takes six more characters of Latin-1 for words: ² ³ ¹ ¼ ½ ¾.
    private var wordAlone: String {
        word + (dialect == .oniguruma ? #"\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}"# : "")
    }

    private var current: Unicode.Scalar? { position < source.count ? source[position] : nil }

    private func plain(_ scalar: Unicode.Scalar) -> String { String(Character(scalar)) }

    /// What stands outside of a class.
    private mutating func element() throws -> String {
        let scalar = source[position]
        position += 1
        switch scalar {
        case "[": return try set().rendered
        case "\\":
            guard let next = current else { throw refused("a backslash at the end") }
            position += 1
            switch next {
            case "w": return "[\(wordAlone)]"
            case "W": return "[^\(wordAlone)]"
            case "s": return "[\(Self.space)]"
            case "S": return "[^\(Self.space)]"
            case "h": return "[\(Self.hexadecimal)]"
            case "H": return "[^\(Self.hexadecimal)]"
            case "b": return "(?:(?<=[\(wordAlone)])(?![\(wordAlone)])|(?<![\(wordAlone)])(?=[\(wordAlone)]))"
            case "B": return "(?:(?<=[\(wordAlone)])(?=[\(wordAlone)])|(?<![\(wordAlone)])(?![\(wordAlone)]))"
            case "v": return #"\x{b}"#
            case "R": return #"(?>\x{d}\x{a}|[\x{a}-\x{d}\x{85}\x{2028}\x{2029}])"#
            case "N": return #"[^\n]"#
            case "O": return "(?s:.)"
            case "p", "P": return try property(next)
            case "u": return try hexadecimalEscape()
            case "d", "D", "n", "r", "t", "f", "a", "e", "x", "A", "z", "1", "2", "3", "4", "5", "6", "7", "8", "9",
                "0",
                "k":
                return "\\" + plain(next)
            case "Q", "E":
                throw refused("\\\(next)")
            default:
                guard !next.isASCII || !next.properties.isAlphabetic else { throw refused("\\\(next)") }
                return "\\" + plain(next)
            }
        case "(": return try group()
        case "{": return try interval()
        // In Ruby's syntax they stand for the borders of lines.
        case "^", "$": return dialect == .oniguruma ? "(?m:\(scalar))" : plain(scalar)
        default: return plain(scalar)
        }
    }

    /// `{n,m}`; what is none is a brace.
    private mutating func interval() throws -> String {
        guard let end = source[position...].firstIndex(of: "}") else { return "\\{" }
        let parts = String(String.UnicodeScalarView(source[position..<end]))
            .split(separator: ",", omittingEmptySubsequences: false)
        let isInterval =
            (1...2).contains(parts.count) && parts.contains { !$0.isEmpty }
            && parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        guard isInterval else { return "\\{" }
        position = end + 1
        let first = parts[0].isEmpty ? "0" : parts[0]
        let interval = "{" + first + (parts.count == 2 ? "," + parts[1] : "") + "}"
        // What Perl reads as possessive and lazy repeats the whole in Ruby.
        if current == "+" || (current == "?" && parts.count == 1) {
            repetition = current == "+" ? "+" : "?"
            position += 1
        }
        return interval
    }

    /// The head of a group: what Ruby's syntax and Perl's both know.
    private mutating func group() throws -> String {
        guard current == "?" else { return "(" }
        let isFirst = position == 1 || ["|", "("].contains(source[position - 2])
        var end = position + 1
        while end < source.count, "imx-".unicodeScalars.contains(source[end]) { end += 1 }
        if end > position + 1 {
            let options = String(String.UnicodeScalarView(source[position..<end]))
            guard end < source.count, source[end] == ":" || source[end] == ")", !options.contains("x") else {
                throw refused("the option (\(options)")
            }
            // In Ruby such an option takes in the alternatives that follow.
            guard source[end] == ":" || isFirst else { throw refused("(\(options)) behind something else") }
            position = end + 1
            // Ruby's m is Perl's s.
            return "(" + options.replacing("m", with: "s") + plain(source[end])
        }
        if source[position...].starts(with: "?#".unicodeScalars), let end = source[position...].firstIndex(of: ")") {
            position = end + 1
            return ""
        }
        if source[position...].starts(with: "?<".unicodeScalars), position + 2 < source.count,
            source[position + 2].properties.isAlphabetic, let end = source[position...].firstIndex(of: ">")
        {
            let name = source[position + 2..<end]
            guard name.allSatisfy({ $0.isASCII && ($0.properties.isAlphabetic || $0 == "_") }) else {
                throw refused("a group of this name")
            }
            position = end + 1
            return "(?<" + String(String.UnicodeScalarView(name)) + ">"
        }
        for head in ["?:", "?=", "?!", "?>", "?<=", "?<!"] where source[position...].starts(with: head.unicodeScalars) {
            position += head.unicodeScalars.count
            return "(" + head
        }
        throw refused("a group that begins with (?\(position + 1 < source.count ? plain(source[position + 1]) : "")")
    }

    private mutating func hexadecimalEscape() throws -> String {
        let digits = source[position...].prefix(4)
        guard digits.count == 4, digits.allSatisfy(\.properties.isASCIIHexDigit) else {
            throw refused("\\u without digits")
        }
        position += 4
        return "\\x{" + String(String.UnicodeScalarView(digits)) + "}"
    }

    /// `\p{…}`: general categories as they are, scripts without their extensions.
    private mutating func property(_ kind: Unicode.Scalar) throws -> String {
        guard current == "{", let end = source[position...].firstIndex(of: "}") else {
            throw refused("\\\(kind) without braces")
        }
        var name = String(String.UnicodeScalarView(source[position + 1..<end]))
        position = end + 1
        let negated = name.hasPrefix("^")
        if negated { name.removeFirst() }
        if name.lowercased() == "word" { return (negated != (kind == "P") ? "[^" : "[") + word + "]" }
        // As a property this one is without symbols.
        if name.lowercased() != "punct", let items = Self.brackets[name.lowercased()] {
            return (negated != (kind == "P") ? "[^" : "[") + items + "]"
        }
        if let short = Self.categories[name.lowercased()] { name = short }
        let isShort = name.unicodeScalars.count <= 2 || Self.binaries.contains(name.lowercased())
        return "\\" + plain(kind) + "{" + (negated ? "^" : "") + (isShort ? "" : "sc:") + name + "}"
    }

    /// POSIX's classes, whose names are properties too.
    private static let brackets = [
        "alnum": #"\p{Alphabetic}\p{Nd}"#, "alpha": #"\p{Alphabetic}"#, "ascii": #"\x{0}-\x{7f}"#,
        "blank": #"\p{Zs}\t"#, "cntrl": #"\p{Cc}"#, "digit": #"\p{Nd}"#, "graph": graph, "lower": #"\p{Lowercase}"#,
        "print": graph + #"\p{Zs}"#, "punct": #"\p{P}\p{S}"#, "space": space, "upper": #"\p{Uppercase}"#,
        "xdigit": hexadecimal,
    ]
    private static let graph = #"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}"#

    private static let categories = [
        "letter": "L", "mark": "M", "number": "N", "punctuation": "P", "punct": "P", "symbol": "S", "separator": "Z",
        "other": "C", "uppercase_letter": "Lu", "lowercase_letter": "Ll", "titlecase_letter": "Lt",
        "modifier_letter": "Lm", "other_letter": "Lo", "decimal_number": "Nd",
    ]
    private static let binaries: Set<String> = [
        "alphabetic", "uppercase", "lowercase", "white_space", "any", "ascii", "emoji", "emoji_presentation",
        "extended_pictographic", "ideographic", "emoji_modifier", "emoji_component", "unified_ideograph",
    ]

    // MARK: Classes

    /// A class of characters: what PCRE2 can say in one, and others that it takes in, all of them perhaps negated.
    private struct CharacterSet {
        var items = ""
        /// Whole expressions of one character each.
        var others: [String] = []
        var isNegated = false
        /// Classes that a character must be in as well.
        var intersected: [String] = []

        var rendered: String {
            if others.isEmpty, intersected.isEmpty {
                // A class of nothing matches nothing.
                if items.isEmpty { return isNegated ? "(?s:.)" : "(?!)" }
                return "[" + (isNegated ? "^" : "") + items + "]"
            }
            let parts = (items.isEmpty ? [] : ["[\(items)]"]) + others
            var all = parts.count == 1 ? parts[0] : "(?:" + parts.joined(separator: "|") + ")"
            if parts.isEmpty { all = "(?!)" }
            for other in intersected { all = "(?=\(other))" + all }
            return isNegated ? "(?:(?!\(all))(?s:.))" : "(?:\(all))"
        }
    }

    /// What stands behind `[`, to its `]`.
    private mutating func set() throws -> CharacterSet {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 16 else { throw refused("classes nested deeper than 16") }
        var set = CharacterSet()
        if current == "^" {
            set.isNegated = true
            position += 1
        }
        var isFirst = true
        while let scalar = current {
            defer { isFirst = false }
            if scalar == "]", !isFirst {
                position += 1
                return set
            }
            if scalar == "&", position + 1 < source.count, source[position + 1] == "&" {
                position += 2
                var left = set
                left.isNegated = false
                let negated = set.isNegated
                set = CharacterSet()
                set.intersected = left.intersected
                left.intersected = []
                set.intersected.append(left.rendered)
                set.isNegated = negated
                continue
            }
            try member(&set)
        }
        throw refused("a class that does not end")
    }

    private mutating func member(_ set: inout CharacterSet) throws {
        let scalar = source[position]
        position += 1
        if scalar == "[" {
            guard current == ":" else {
                set.others.append(try self.set().rendered)
                return
            }
            guard let end = source[position...].firstIndex(of: "]"), source[end - 1] == ":", end > position + 1 else {
                throw refused("a class that begins with [[:")
            }
            let name = String(String.UnicodeScalarView(source[position + 1..<end - 1]))
            position = end + 1
            let isNegated = name.hasPrefix("^")
            let plainName = isNegated ? String(name.dropFirst()) : name
            guard let items = plainName == "word" ? word : Self.brackets[plainName] else {
                throw refused("[:\(name):]")
            }
            if isNegated { set.others.append("[^\(items)]") } else { set.items += items }
            return
        }
        guard scalar == "\\" else {
            set.items += escaped(scalar)
            return
        }
        guard let next = current else { throw refused("a backslash at the end") }
        position += 1
        switch next {
        case "w": set.items += word
        case "W": set.others.append("[^\(word)]")
        case "s": set.items += Self.space
        case "S": set.others.append("[^\(Self.space)]")
        case "h": set.items += Self.hexadecimal
        case "H": set.others.append("[^\(Self.hexadecimal)]")
        case "p", "P":
            let items = try property(next)
            if items.first == "[" { set.others.append(items) } else { set.items += items }
        case "u": set.items += try hexadecimalEscape()
        case "v": set.items += #"\x{b}"#
        case "d", "D", "n", "r", "t", "f", "a", "e", "x", "b", "0": set.items += "\\" + plain(next)
        default:
            guard !next.isASCII || !next.properties.isAlphabetic else { throw refused("\\\(next) in a class") }
            set.items += "\\" + plain(next)
        }
    }

    /// A character that PCRE2 reads as one in a class; a hyphen keeps its meaning.
    private func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "[", "]", "^", "&": "\\" + plain(scalar)
        default: plain(scalar)
        }
    }
}

/// Reads the regular expressions of Python's `re`, as far as they are regular: no looking around, no references to groups, no
/// anchors. `\d`, `\w` and `\s` are Unicode's.
struct PythonPatternParser: PatternReader {
    static let subject = "regular expression"

    let scalars: [Unicode.Scalar]
    var position = 0
    private var depth = 0
    private var flags: Flags
    private var hasOuterBar = false

    struct Flags: OptionSet {
        let rawValue: Int
        static let ignoresCase = Flags(rawValue: 1)
        static let dotTakesAll = Flags(rawValue: 2)
        static let isVerbose = Flags(rawValue: 4)
        static let isASCII = Flags(rawValue: 8)

        /// - Returns: nil for a letter that is no flag of regular languages.
        init?(_ letters: some Sequence<Unicode.Scalar>) {
            var flags: Flags = []
            for letter in letters {
                switch letter {
                case "i": flags.insert(.ignoresCase)
                case "s": flags.insert(.dotTakesAll)
                case "x": flags.insert(.isVerbose)
                case "a": flags.insert(.isASCII)
                // m is about anchors, which are not supported; u is the default.
                case "m", "u": break
                default: return nil
                }
            }
            self = flags
        }

        init(rawValue: Int) { self.rawValue = rawValue }
    }

    /// - Throws: `GrammarError` that says at which character, or what is not supported.
    static func parse(_ text: String, _ flags: Flags = []) throws(GrammarError) -> Pattern {
        var parser = PythonPatternParser(scalars: Array(text.unicodeScalars), flags: flags)
        return try parser.whole()
    }

    /// Whether an expression is a choice that no brackets hold together.
    static func isBareChoice(_ text: String, _ flags: Flags) throws(GrammarError) -> Bool {
        var parser = PythonPatternParser(scalars: Array(text.unicodeScalars), flags: flags)
        _ = try parser.whole()
        return parser.hasOuterBar
    }

    private mutating func whole() throws(GrammarError) -> Pattern {
        let pattern = try choice()
        guard position == scalars.count else { throw fault("')' closes no group") }
        return pattern
    }

    private init(scalars: [Unicode.Scalar], flags: Flags) { (self.scalars, self.flags) = (scalars, flags) }

    private mutating func choice() throws(GrammarError) -> Pattern {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw fault("groups are nested deeper than \(Self.depthLimit)", .tooComplex)
        }
        var parts = [try sequence()]
        while take("|") {
            hasOuterBar = hasOuterBar || depth == 1
            parts.append(try sequence())
        }
        return parts.count == 1 ? parts[0] : .choice(parts)
    }

    private mutating func sequence() throws(GrammarError) -> Pattern {
        var parts: [Pattern] = []
        while true {
            skip()
            guard let scalar = current, scalar != "|", scalar != ")" else { break }
            parts.append(try quantified(try atom()))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// Blanks and comments of the flag x.
    private mutating func skip() {
        guard flags.contains(.isVerbose) else { return }
        while let scalar = current {
            if scalar == "#" {
                while let scalar = current, scalar != "\n" { position += 1 }
            } else if scalar.properties.isPatternWhitespace {
                position += 1
            } else {
                return
            }
        }
    }

    // MARK: Repetitions

    private mutating func quantified(_ atom: Pattern) throws(GrammarError) -> Pattern {
        skip()
        guard let (min, max) = try bounds() else { return atom }
        var result = Pattern.repeated(atom, min: min, max: max)
        if take("?") {
            result = .reluctant(atom, min: min, max: max)
        } else if current == "+" {
            throw fault("a possessive repetition is not supported", .unsupported)
        }
        let end = position
        skip()
        guard try bounds() == nil else {
            position = end
            throw fault("a repetition is repeated; put brackets around it")
        }
        return result
    }

    private mutating func bounds() throws(GrammarError) -> (min: Int, max: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        let start = position
        guard take("{") else { return nil }
        let min = try count()
        var max = min
        var isRange = false
        if take(",") { (max, isRange) = (try count(), true) }
        // Otherwise the brace is a character.
        guard take("}"), min != nil || isRange else {
            position = start
            return nil
        }
        if let max, max < min ?? 0 { throw fault("{\(min ?? 0),\(max)} is no range") }
        return (min ?? 0, max)
    }

    // MARK: Atoms

    private mutating func atom() throws(GrammarError) -> Pattern {
        guard let scalar = current else { throw fault("the expression ends where something is expected") }
        switch scalar {
        case "(": return try group()
        case "[": return .scalars(try set())
        case ".":
            position += 1
            return .scalars(flags.contains(.dotTakesAll) ? .all : ScalarSet(["\n"]).inverted)
        case "\\":
            position += 1
            return .scalars(folded(try escape(inSet: false)))
        case "^", "$": throw fault("'\(scalar)', an anchor, is not supported", .unsupported)
        case "*", "+", "?": throw fault("'\(scalar)' repeats nothing")
        default:
            position += 1
            return .scalars(folded(ScalarSet([scalar])))
        }
    }

    private mutating func group() throws(GrammarError) -> Pattern {
        position += 1
        let outer = flags
        defer { flags = outer }
        if take("?P<")
            || current == "?" && position + 2 < scalars.count && scalars[position + 1] == "<"
                && scalars[position + 2].properties.isAlphabetic
        {
            while let scalar = current, scalar != ">" { position += 1 }
            guard take(">") else { throw fault("'>' is expected behind a group's name") }
        } else if take("?#") {
            while let scalar = current, scalar != ")" { position += 1 }
            guard take(")") else { throw fault("')' is expected behind a comment") }
            return .empty
        } else if take("?:") {
        } else if current == "?" {
            try inlineFlags()
        }
        let inner = try choice()
        guard take(")") else { throw fault("')' is expected") }
        return inner
    }

    /// `?i:` and `?-i:`.
    private mutating func inlineFlags() throws(GrammarError) {
        let start = position
        position += 1
        var (on, off, isOff): ([Unicode.Scalar], [Unicode.Scalar], Bool) = ([], [], false)
        while let scalar = current, scalar == "-" || ("a"..."z").contains(scalar) {
            if scalar == "-" { isOff = true } else if isOff { off.append(scalar) } else { on.append(scalar) }
            position += 1
        }
        guard take(":"), let on = Flags(on), let off = Flags(off) else {
            position = start
            throw fault(
                "a group of another kind than (…), (?:…), (?P<name>…) and (?i:…) is not supported", .unsupported)
        }
        flags = flags.union(on).subtracting(off)
    }

    // MARK: Sets and escapes

    private mutating func set() throws(GrammarError) -> ScalarSet {
        position += 1
        let isInverted = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        var isFirst = true
        while isFirst || !take("]") {
            isFirst = false
            let (low, single) = try member()
            if current == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                position += 1
                guard let single, let other = try member().1 else { throw fault("a class is no end of a range") }
                guard single <= other else { throw fault("a range ends before it begins") }
                ranges.append(single...other)
            } else {
                ranges += low.ranges
            }
        }
        let set = folded(ScalarSet(ranges))
        return isInverted ? set.inverted : set
    }

    /// One member of a set, and its value where it is a single scalar.
    private mutating func member() throws(GrammarError) -> (ScalarSet, UInt32?) {
        guard let scalar = current else { throw fault("']' is expected") }
        position += 1
        guard scalar == "\\" else { return (ScalarSet([scalar]), scalar.value) }
        let set = try escape(inSet: true)
        let range = set.ranges.count == 1 ? set.ranges[0] : nil
        return (set, range.flatMap { $0.count == 1 ? $0.lowerBound : nil })
    }

    private mutating func escape(inSet: Bool) throws(GrammarError) -> ScalarSet {
        guard let scalar = current else { throw fault("the expression ends behind '\\'") }
        position += 1
        let isASCII = flags.contains(.isASCII)
        switch scalar {
        case "d": return isASCII ? .digits : PythonClasses.digits
        case "D": return isASCII ? ScalarSet.digits.inverted : PythonClasses.digits.inverted
        case "w": return isASCII ? .wordCharacters : PythonClasses.wordCharacters
        case "W": return isASCII ? ScalarSet.wordCharacters.inverted : PythonClasses.wordCharacters.inverted
        case "s": return isASCII ? PythonClasses.asciiBlanks : PythonClasses.blanks
        case "S": return isASCII ? PythonClasses.asciiBlanks.inverted : PythonClasses.blanks.inverted
        case "t": return ScalarSet(["\t"])
        case "n": return ScalarSet(["\n"])
        case "v": return ScalarSet(["\u{0B}"])
        case "f": return ScalarSet(["\u{0C}"])
        case "r": return ScalarSet(["\r"])
        case "a": return ScalarSet(["\u{07}"])
        case "b" where inSet: return ScalarSet(["\u{08}"])
        case "b", "B", "A", "Z": throw fault("\\\(scalar), an anchor, is not supported", .unsupported)
        case "0" where current.map { !("0"..."7").contains($0) } ?? true: return ScalarSet(["\0"])
        case "0"..."9":
            throw fault("\\\(scalar), a reference to a group or an octal number, is not supported", .unsupported)
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        default:
            guard !(scalar.isASCII && scalar.properties.isAlphabetic) else {
                throw fault("'\\\(scalar)' means nothing")
            }
            return ScalarSet([scalar])
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(GrammarError) -> ScalarSet {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = current, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw fault("\(digits) hexadecimal digits are expected")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard let scalar = Unicode.Scalar(value) else { throw fault("half of a surrogate pair stands alone") }
        return ScalarSet([scalar])
    }

    private func folded(_ set: ScalarSet) -> ScalarSet {
        flags.contains(.ignoresCase) ? PythonClasses.withOtherCases(set) : set
    }
}

/// Reads ECMA-262's regular expressions, with the flag u.
struct PatternParser: PatternReader {
    static let subject = "pattern"

    let scalars: [Unicode.Scalar]
    var position = 0
    private var depth = 0

    private init(_ text: String) { scalars = Array(text.unicodeScalars) }

    /// - Throws: `GrammarError` that says at which character the pattern ends to be one, or what of it is not supported.
    static func parse(_ text: String) throws(GrammarError) -> Pattern {
        var parser = PatternParser(text)
        let pattern = try parser.choice()
        guard parser.position == parser.scalars.count else { throw parser.fault("')' closes no group") }
        return pattern
    }

    private mutating func choice() throws(GrammarError) -> Pattern {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw fault("groups are nested deeper than \(Self.depthLimit)") }
        var parts = [try sequence()]
        while take("|") { parts.append(try sequence()) }
        return parts.count == 1 ? parts[0] : .choice(parts)
    }

    private mutating func sequence() throws(GrammarError) -> Pattern {
        var parts: [Pattern] = []
        while let scalar = current, scalar != "|", scalar != ")" {
            let part = try term()
            // Groups do not hide what stands at the beginning.
            if case .sequence(let own) = part { parts += own } else { parts.append(part) }
        }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func term() throws(GrammarError) -> Pattern {
        if take("^") { return .start }
        if take("$") { return .end }
        let atom = try atom()
        return try quantified(atom)
    }

    private mutating func quantified(_ atom: Pattern) throws(GrammarError) -> Pattern {
        let bounds: (min: Int, max: Int?)
        if take("*") {
            bounds = (0, nil)
        } else if take("+") {
            bounds = (1, nil)
        } else if take("?") {
            bounds = (0, 1)
        } else if current == "{" {
            position += 1
            guard let min = try count() else { throw fault("a number is expected behind '{'") }
            var max: Int? = min
            if take(",") { max = try count() }
            guard take("}") else { throw fault("'}' is expected") }
            if let max, max < min { throw fault("{\(min),\(max)} is no range") }
            bounds = (min, max)
        } else {
            return atom
        }
        // What is found does not depend on how much is tried first.
        _ = take("?")
        if case .lookahead = atom { throw fault("a look-ahead cannot be repeated") }
        return .repeated(atom, min: bounds.min, max: bounds.max)
    }

    private mutating func atom() throws(GrammarError) -> Pattern {
        guard let scalar = current else { throw fault("the pattern ends where something is expected") }
        switch scalar {
        case "(": return try group()
        case "[": return .scalars(try set())
        case ".":
            position += 1
            return .scalars(ScalarSet.lineTerminators.inverted)
        case "\\":
            position += 1
            return .scalars(try escape(inSet: false))
        case "*", "+", "?", "{", "}", "]": throw fault("'\(scalar)' repeats nothing or must be escaped")
        default:
            position += 1
            return .scalars(ScalarSet([scalar]))
        }
    }

    private mutating func group() throws(GrammarError) -> Pattern {
        position += 1
        var isNegative: Bool?
        if take("?=") {
            isNegative = false
        } else if take("?!") {
            isNegative = true
        } else if take("?<=") || take("?<!") {
            throw fault("a look-behind is not supported", .unsupported)
        } else if take("?<") {
            while let scalar = current, scalar != ">" { position += 1 }
            guard take(">") else { throw fault("'>' is expected behind a group's name") }
        } else if !take("?:"), current == "?" {
            throw fault("a group of another kind than (…), (?:…), (?<name>…), (?=…), (?!…)", .unsupported)
        }
        let inner = try choice()
        guard take(")") else { throw fault("')' is expected") }
        if let isNegative { return .lookahead(inner, isNegative: isNegative) }
        return inner
    }

    // MARK: Sets and escapes

    private mutating func set() throws(GrammarError) -> ScalarSet {
        position += 1
        let isInverted = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            guard current != nil else { throw fault("']' is expected") }
            let (low, single) = try member()
            if current == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                position += 1
                let (_, other) = try member()
                guard let single, let other else { throw fault("a class is no end of a range") }
                guard single <= other else { throw fault("a range ends before it begins") }
                ranges.append(single...other)
            } else {
                ranges += low.ranges
            }
        }
        let set = ScalarSet(ranges)
        return isInverted ? set.inverted : set
    }

    /// One member of a set, and its value where it is a single scalar.
    private mutating func member() throws(GrammarError) -> (ScalarSet, UInt32?) {
        if take("\\") {
            let set = try escape(inSet: true)
            let range = set.ranges.count == 1 ? set.ranges[0] : nil
            return (set, range.flatMap { $0.count == 1 ? $0.lowerBound : nil })
        }
        guard let scalar = current else { throw fault("']' is expected") }
        position += 1
        return (ScalarSet([scalar]), scalar.value)
    }

    private mutating func escape(inSet: Bool) throws(GrammarError) -> ScalarSet {
        guard let scalar = current else { throw fault("the pattern ends behind '\\'") }
        position += 1
        switch scalar {
        case "d": return .digits
        case "D": return ScalarSet.digits.inverted
        case "w": return .wordCharacters
        case "W": return ScalarSet.wordCharacters.inverted
        case "s": return .whitespace
        case "S": return ScalarSet.whitespace.inverted
        case "t": return ScalarSet(["\t"])
        case "n": return ScalarSet(["\n"])
        case "v": return ScalarSet(["\u{0B}"])
        case "f": return ScalarSet(["\u{0C}"])
        case "r": return ScalarSet(["\r"])
        case "b" where inSet: return ScalarSet(["\u{08}"])
        case "b", "B": throw fault("\\\(scalar), a word's border, is not supported", .unsupported)
        case "0" where current.map { !("0"..."9").contains($0) } ?? true: return ScalarSet(["\0"])
        case "1"..."9", "k": throw fault("\\\(scalar), a reference to a group, is no regular language", .unsupported)
        case "c":
            guard let letter = current, letter.isASCII, letter.properties.isAlphabetic else {
                throw fault("a letter is expected behind \\c")
            }
            position += 1
            return ScalarSet([Unicode.Scalar(UInt8(letter.value % 32))])
        case "x":
            let value = try hexadecimal(2)
            return ScalarSet([value...value])
        case "u": return try unicode()
        case "p", "P":
            guard take("{"), let end = scalars[position...].firstIndex(of: "}") else {
                throw fault("a property in braces is expected behind \\\(scalar)")
            }
            let name = String(String.UnicodeScalarView(scalars[position..<end]))
            guard let set = ScalarSet.property(name) else {
                throw fault("\\\(scalar){\(name.prefix(40))} is not supported", .unsupported)
            }
            position = end + 1
            return scalar == "P" ? set.inverted : set
        default:
            guard !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar) else {
                throw fault("'\\\(scalar)' means nothing")
            }
            return ScalarSet([scalar])
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = current, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw fault("\(digits) hexadecimal digits are expected")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func unicode() throws(GrammarError) -> ScalarSet {
        var value: UInt32 = 0
        if take("{") {
            while let scalar = current, scalar.isASCII, let digit = Character(scalar).hexDigitValue {
                value = value << 4 | UInt32(digit)
                position += 1
                guard value <= 0x10FFFF else { throw fault("\\u{…} lies beyond Unicode") }
            }
            guard take("}") else { throw fault("'}' is expected") }
        } else {
            value = try hexadecimal(4)
            if (0xD800..<0xDC00).contains(value), take("\\u") {
                let low = try hexadecimal(4)
                guard (0xDC00..<0xE000).contains(low) else { throw fault("half of a surrogate pair stands alone") }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
        }
        guard let scalar = Unicode.Scalar(value) else { throw fault("half of a surrogate pair stands alone") }
        return ScalarSet([scalar])
    }
}

/// The methods of Python's strings.
enum TextMethods {
    static let names: Set<String> = [
        "capitalize", "casefold", "center", "count", "endswith", "find", "format", "index", "isalnum", "isalpha",
        "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "isupper", "join", "ljust", "lower",
        "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition",
        "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper", "zfill",
    ]

    static func call(
        _ name: String, _ text: TrustedText, _ arguments: CallArguments, _ interpreter: Interpreter
    ) throws -> JinjaValue {
        try Interpreter.checkMarkup(text, name)
        let budget = interpreter.budget
        try budget.reserve(text.count)
        let callee = "str.\(name)"
        // Python names few of their parameters; those are the names that are taken.
        switch name {
        case "strip", "lstrip", "rstrip":
            let characters = try arguments.bound(callee, ["chars"])[0]
            let set = try characters.flatMap { $0.isNone ? nil : try $0.text(callee) }
            return .text(text.stripped(set, left: name != "rstrip", right: name != "lstrip"))
        case "split", "rsplit":
            let values = try arguments.bound(callee, ["sep", "maxsplit"])
            let limit = try values[1]?.integer(callee) ?? -1
            let parts: [TrustedText]
            if let separator = values[0], !separator.isNone {
                let separator = try separator.text(callee)
                guard !separator.isEmpty else { throw JinjaError(.evaluation, "\(callee): empty separator") }
                parts =
                    name == "split"
                    ? text.split(by: separator, limit: limit) : text.splitFromRight(by: separator, limit: limit)
            } else {
                parts = text.splitAtSpaces(limit: limit, fromRight: name == "rsplit")
            }
            try budget.reserveList(parts.count)
            return .list(parts.map { .text($0) })
        case "splitlines":
            let lines = text.lines(keepingEnds: try arguments.bound(callee, ["keepends"])[0]?.isTrue ?? false)
            try budget.reserveList(lines.count)
            return .list(lines.map { .text($0) })
        case "startswith", "endswith": return .bool(try isEdge(name, text, arguments))
        case "replace":
            let values = try arguments.bound(callee, ["old", "new", "count"])
            guard let old = try values[0]?.text(callee), let new = try values[1]?.text(callee) else {
                throw JinjaError(.evaluation, "\(callee) needs two arguments")
            }
            return .text(
                try replace(text, old, new, limit: values[2].map { try $0.integer(callee) }, budget))
        case "join":
            let parts = try arguments.one(callee, "iterable").iterated().map { try $0.text(callee) }
            return .text(try join(parts, by: text, budget))
        case "count", "find", "index", "rfind", "rindex": return .integer(try find(name, text, arguments))
        case "partition", "rpartition":
            let separator = try arguments.one(callee, "sep").text(callee)
            guard !separator.isEmpty else { throw JinjaError(.evaluation, "\(callee): empty separator") }
            guard let at = name == "partition" ? text.first(separator) : text.last(separator) else {
                let empty = JinjaValue.text(TrustedText())
                return .sequence(
                    .tuple, name == "partition" ? [.text(text), empty, empty] : [empty, empty, .text(text)])
            }
            // The text's own separator, not the template's: it is not trusted because the template looks for it.
            let end = at + separator.count
            let parts = [text[0..<at], text[at..<end], text[end..<text.count]]
            return .sequence(.tuple, parts.map { .text($0) })
        case "removeprefix":
            let part = try arguments.one(callee, "prefix").text(callee)
            return .text(text.hasPrefix(part) ? text[part.count..<text.count] : text)
        case "removesuffix":
            let part = try arguments.one(callee, "suffix").text(callee)
            return .text(!part.isEmpty && text.hasSuffix(part) ? text[0..<text.count - part.count] : text)
        case "center", "ljust", "rjust", "zfill": return .text(try pad(name, text, arguments, budget))
        case "format": return .text(try Formatting.braces(text, arguments, budget))
        default:
            try arguments.none(callee)
            return try plain(name, text)
        }
    }

    private static func plain(_ name: String, _ text: TrustedText) throws -> JinjaValue {
        func has(_ type: Unicode.NumericType, _ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.numericType == type
        }
        func isDigit(_ scalar: Unicode.Scalar) -> Bool { has(.decimal, scalar) || has(.digit, scalar) }
        func isLetter(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
            default: false
            }
        }
        switch name {
        case "upper": return .text(text.uppercased)
        case "lower": return .text(text.lowercased)
        case "capitalize": return .text(text.capitalized)
        case "title": return .text(text.titled)
        case "swapcase": return .text(text.swappedCase)
        case "casefold":
            guard text.scalars.allSatisfy(\.isASCII) else {
                throw JinjaError(.unsupported, "str.casefold beyond ASCII is not supported")
            }
            return .text(text.lowercased)
        case "isspace": return .bool(text.isAll(TrustedText.isSpace))
        case "isascii": return .bool(text.scalars.allSatisfy(\.isASCII))
        case "isdecimal": return .bool(text.isAll { has(.decimal, $0) })
        case "isdigit": return .bool(text.isAll(isDigit))
        case "isnumeric": return .bool(text.isAll { $0.properties.numericType != nil })
        case "isalpha": return .bool(text.isAll(isLetter))
        case "isalnum": return .bool(text.isAll { isLetter($0) || $0.properties.numericType != nil })
        case "isupper", "islower":
            let cased = text.scalars.filter { $0.properties.isCased }
            let isUpper = name == "isupper"
            return .bool(
                !cased.isEmpty && cased.allSatisfy { isUpper ? $0.properties.isUppercase : $0.properties.isLowercase })
        default: throw JinjaError(.unsupported, "str.\(name) is not supported")
        }
    }

    private static func isEdge(_ name: String, _ text: TrustedText, _ arguments: CallArguments) throws -> Bool {
        let callee = "str.\(name)"
        let values = try arguments.bound(callee, ["prefix", "start", "end"])
        guard let wanted = values[0] else { throw JinjaError(.evaluation, "\(callee) needs an argument") }
        guard let range = range(try values[1]?.integer(callee), try values[2]?.integer(callee), text.count) else {
            return false
        }
        let part = text[range]
        let edges: [JinjaValue] = if case .sequence(.tuple, let members, _) = wanted { members } else { [wanted] }
        for edge in edges {
            let edge = try edge.text(callee)
            if name == "startswith" ? part.hasPrefix(edge) : part.hasSuffix(edge) { return true }
        }
        return false
    }

    /// Python's `[start:end]`; nil where it begins behind the text or its end.
    private static func range(_ start: Int?, _ end: Int?, _ count: Int) -> Range<Int>? {
        func clamped(_ value: Int) -> Int { value < 0 ? max(0, value + count) : value }
        let (low, high) = (clamped(start ?? 0), min(clamped(end ?? count), count))
        return low <= high ? low..<high : nil
    }

    private static func find(_ name: String, _ text: TrustedText, _ arguments: CallArguments) throws -> Int {
        let callee = "str.\(name)"
        let values = try arguments.bound(callee, ["sub", "start", "end"])
        guard let part = try values[0]?.text(callee) else {
            throw JinjaError(.evaluation, "\(callee) needs an argument")
        }
        let range = range(try values[1]?.integer(callee), try values[2]?.integer(callee), text.count)
        if name == "count" { return range.map { text[$0].occurrences(of: part) } ?? 0 }
        let found = range.flatMap { range in
            name.hasPrefix("r")
                ? text.last(part, from: range.lowerBound, to: range.upperBound)
                : text.first(part, from: range.lowerBound, to: range.upperBound)
        }
        guard found != nil || name.hasSuffix("find") else {
            throw JinjaError(.evaluation, "\(callee): substring not found")
        }
        return found ?? -1
    }

    private static func pad(
        _ name: String, _ text: TrustedText, _ arguments: CallArguments, _ budget: Budget
    ) throws -> TrustedText {
        let callee = "str.\(name)"
        let values = try arguments.bound(callee, name == "zfill" ? ["width"] : ["width", "fillchar"])
        guard let width = try values[0]?.integer(callee) else {
            throw JinjaError(.evaluation, "\(callee) needs a width")
        }
        try budget.reserve(max(0, width))
        let missing = max(0, width - text.count)
        if name == "zfill" {
            let hasSign = text.scalars.first == "-" || text.scalars.first == "+"
            var result = text[0..<(hasSign ? 1 : 0)]
            result.append(text[(hasSign ? 1 : 0)..<text.count].padded(left: missing, right: 0, TrustedText("0")))
            return result
        }
        let fill = try values[1]?.text(callee) ?? TrustedText(" ")
        guard fill.count == 1 else { throw JinjaError(.evaluation, "\(callee): the fill must be one character") }
        switch name {
        case "ljust": return text.padded(left: 0, right: missing, fill)
        case "rjust": return text.padded(left: missing, right: 0, fill)
        default:
            // CPython's rounding.
            let left = missing / 2 + (missing & width & 1)
            return text.padded(left: left, right: missing - left, fill)
        }
    }

    static func replace(
        _ text: TrustedText, _ old: TrustedText, _ new: TrustedText, limit: Int?, _ budget: Budget
    ) throws -> TrustedText {
        let found = text.occurrences(of: old)
        try budget.reserve(limit.map { $0 < 0 ? found : min($0, found) } ?? found, times: new.count)
        return text.replacing(old, with: new, limit: limit)
    }

    static func join(_ parts: [TrustedText], by separator: TrustedText, _ budget: Budget) throws -> TrustedText {
        try budget.reserve(parts.count, times: separator.count)
        try budget.reserve(parts.reduce(0) { $0 + $1.count })
        return TrustedText.joined(parts, by: separator)
    }
}

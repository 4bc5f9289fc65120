/// jinja2's filters. What is not here is refused by name when it is come upon: templates ask for filters of other
/// systems in branches that are not taken.
enum Filters {
    private static let names: Set<String> = [
        "abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "first", "float", "format",
        "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject",
        "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "string", "sum",
        "title", "tojson", "trim", "truncate", "unique", "upper", "wordcount",
    ]

    static func isKnown(_ name: String) -> Bool { names.contains(name) }
}

extension Interpreter {
    /// `value | name(arguments)`.
    func filter(_ name: String, _ value: JinjaValue, _ arguments: CallArguments) throws -> JinjaValue {
        guard Filters.isKnown(name) else { throw JinjaError(.unsupported, "the filter '\(name)' is not supported") }
        if case .text(let text) = value, text.isMarkup, !["trim", "safe", "string", "length", "count"].contains(name) {
            try Self.checkMarkup(text, name)
        }
        switch name {
        case "default", "d":
            let values = try arguments.bound(name, ["default_value", "boolean"])
            let replaces = value.isUndefined || (values[1]?.isTrue ?? false) && !value.isTrue
            return replaces ? values[0] ?? .text("") : value
        case "length", "count":
            try arguments.none(name)
            return .integer(try value.length())
        case "list":
            try arguments.none(name)
            return .list(try members(of: value))
        case "string":
            try arguments.none(name)
            return .text(try value.asText())
        case "safe":
            try arguments.none(name)
            var text = try value.asText()
            text.isMarkup = true
            return .text(text)
        case "tojson": return try json(value, arguments)
        case "attr":
            let attribute = try arguments.one(name, "name").text(name)
            return try Attributes.member(attribute.string, of: value) ?? .undefined("there is no such attribute")
        case "items":
            try arguments.none(name)
            if value.isUndefined { return .generator(JinjaGenerator([])) }
            guard case .object(let object) = value else {
                throw JinjaError(.evaluation, "the filter 'items' needs a mapping, not \(value.typeName)")
            }
            return .generator(JinjaGenerator(object.items))
        case "abs", "round", "int", "float", "sum", "max", "min": return try number(name, value, arguments)
        case "trim", "upper", "lower", "capitalize", "title", "replace", "indent", "truncate", "center", "wordcount",
            "format":
            return try text(name, value, arguments)
        default: return try sequence(name, value, arguments)
        }
    }

    func members(of value: JinjaValue) throws -> [JinjaValue] {
        if case .text(let text) = value { try budget.reserveList(text.count) }
        let values = try value.iterated()
        try budget.reserveList(values.count)
        return values
    }

    /// transformers' own: keys in their order, Unicode as it is.
    private func json(_ value: JinjaValue, _ arguments: CallArguments) throws -> JinjaValue {
        let values = try arguments.bound("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"])
        var writer = JSONWriter(budget)
        writer.escapesUnicode = values[0]?.isTrue ?? false
        if let indent = values[1], !indent.isNone {
            if case .text(let text) = indent {
                writer.indent = text.string
            } else {
                writer.indent = String(repeating: " ", count: min(max(0, try indent.integer("tojson: indent")), 257))
            }
            guard (writer.indent?.unicodeScalars.count ?? 0) <= 256 else {
                throw JinjaError(.limit, "tojson: an indent of more than 256")
            }
            writer.itemSeparator = TrustedText(",")
        }
        if let separators = values[2], !separators.isNone {
            let pair = try separators.iterated()
            guard pair.count == 2 else { throw JinjaError(.evaluation, "tojson: separators must be two") }
            (writer.itemSeparator, writer.keySeparator) = (try pair[0].text("tojson"), try pair[1].text("tojson"))
        }
        writer.sortsKeys = values[3]?.isTrue ?? false
        let text = try writer.write(value)
        try budget.reserve(text.count)
        return .text(text)
    }

    private func number(_ name: String, _ value: JinjaValue, _ arguments: CallArguments) throws -> JinjaValue {
        switch name {
        case "abs":
            try arguments.none(name)
            if let integer = value.integer, integer != .min { return .integer(abs(integer)) }
            guard let number = value.number else { throw try Self.undefinedOr(value, "bad operand for abs()") }
            return .float(abs(number))
        case "int":
            let values = try arguments.bound(name, ["default", "base"])
            let base = try values[1]?.integer(name) ?? 10
            guard base == 10 else { throw JinjaError(.unsupported, "the filter 'int' with a base is not supported") }
            if let integer = value.integer { return .integer(integer) }
            let number: Double?
            if case .text(let text) = value {
                if let integer = Numbers.integer(text) { return .integer(integer) }
                number = Numbers.float(text)
            } else {
                number = value.number
            }
            guard let number, number.isFinite else { return values[0] ?? .integer(0) }
            guard let integer = Int(exactly: number.rounded(.towardZero)) else {
                throw JinjaError(.unsupported, "a whole number beyond 64 bits is not supported")
            }
            return .integer(integer)
        case "float":
            let standard = try arguments.bound(name, ["default"])[0] ?? .float(0)
            if case .text(let text) = value { return Numbers.float(text).map { .float($0) } ?? standard }
            return value.number.map { .float($0) } ?? standard
        case "round":
            let values = try arguments.bound(name, ["precision", "method"])
            let method = try values[1]?.text(name).string ?? "common"
            guard let number = value.number else { throw try Self.undefinedOr(value, "round needs a number") }
            return try Numbers.rounded(
                number, digits: values[0]?.integer(name) ?? 0, method: method, isWhole: value.integer != nil)
        case "sum":
            let values = try arguments.bound(name, ["attribute", "start"])
            var sum = values[1] ?? .integer(0)
            for member in try value.iterated() {
                sum = try arithmetic("+", sum, values[0].map { try path($0, of: member) } ?? member)
            }
            return sum
        default:
            let values = try arguments.bound(name, ["case_sensitive", "attribute"])
            let key = key(isCaseSensitive: values[0]?.isTrue ?? false, attribute: values[1])
            var best: (value: JinjaValue, key: JinjaValue)?
            for member in try value.iterated() {
                let own = try key(member)
                guard let current = best else {
                    best = (member, own)
                    continue
                }
                let isBetter = name == "min" ? try own.isLess(current.key, budget) : try current.key.isLess(own, budget)
                if isBetter { best = (member, own) }
            }
            return best?.value ?? .undefined("No aggregated item, sequence was empty.")
        }
    }

    /// `make_attrgetter`: `a.b.0` goes from member to member.
    func path(_ attribute: JinjaValue, of value: JinjaValue, standard: JinjaValue? = nil) throws -> JinjaValue {
        let parts: [JinjaValue]
        switch attribute {
        case .text(let text):
            parts = text.split(by: TrustedText("."), limit: -1).map { part in
                Numbers.digits(part).map { .integer($0) } ?? .text(part)
            }
        case .none: return value
        default: parts = [attribute]
        }
        var current = value
        for part in parts {
            current = try item(part, of: current)
            if let standard, current.isUndefined { current = standard }
        }
        return current
    }

    /// What `sort` and its kin compare by: lower case, unless case counts.
    func key(
        isCaseSensitive: Bool, attribute: JinjaValue?
    ) -> (JinjaValue) throws -> JinjaValue {
        { [self] value in
            let own = try attribute.map { try path($0, of: value) } ?? value
            guard !isCaseSensitive, case .text(let text) = own else { return own }
            try budget.reserve(text.count)
            return .text(text.lowercased)
        }
    }
}

/// Numbers as Python reads and rounds them.
enum Numbers {
    /// `int(text)`.
    static func integer(_ text: TrustedText) -> Int? {
        let plain = plain(text)
        return plain.isEmpty ? nil : Int(plain)
    }

    /// Digits alone.
    static func digits(_ text: TrustedText) -> Int? {
        text.isAll { (0x30...0x39).contains($0.value) } ? Int(text.string) : nil
    }

    /// `float(text)`.
    static func float(_ text: TrustedText) -> Double? {
        let plain = plain(text)
        switch plain.lowercased() {
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        case "nan", "+nan", "-nan": return .nan
        default:
            guard plain.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }) else { return nil }
            return Double(plain.hasSuffix(".") ? plain + "0" : plain)
        }
    }

    /// Without white space around it and underscores between digits.
    private static func plain(_ text: TrustedText) -> String {
        let scalars = text.stripped().scalars
        var view = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            func isDigit(_ at: Int) -> Bool {
                scalars.indices.contains(at) && (0x30...0x39).contains(scalars[at].value)
            }
            if scalar == "_", isDigit(index - 1), isDigit(index + 1) { continue }
            view.append(scalar)
        }
        return String(view)
    }

    /// The filter `round`.
    static func rounded(_ value: Double, digits: Int, method: String, isWhole: Bool) throws -> JinjaValue {
        switch method {
        case "common":
            // Python keeps a whole number whole.
            if isWhole, digits >= 0, let integer = Int(exactly: value) { return .integer(integer) }
            if digits == 0 { return .float(value.rounded(.toNearestOrEven)) }
            guard (1...15).contains(digits), value.magnitude < 1e15 else {
                throw JinjaError(.unsupported, "round to \(digits) digits is not supported")
            }
            return .float(Double(Formatting.fixed(value, digits: digits)) ?? value)
        case "ceil", "floor":
            guard (0...15).contains(digits) else {
                throw JinjaError(.unsupported, "round to \(digits) digits is not supported")
            }
            var power = 1.0
            for _ in 0..<digits { power *= 10 }
            return .float((value * power).rounded(method == "ceil" ? .up : .down) / power)
        default: throw JinjaError(.evaluation, "round: the method must be common, ceil or floor")
        }
    }
}

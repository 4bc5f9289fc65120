/// Python's `str` and `repr`.
extension JinjaValue {
    /// What `{{ value }}` writes.
    ///
    /// - Throws: `JinjaError.unsupported` for what Python writes with an address in memory.
    func asText() throws -> TrustedText {
        switch self {
        case .undefined: TrustedText()
        case .text(let text): text
        default: try representation(depth: 0)
        }
    }

    /// Python's `repr`.
    func representation(depth: Int) throws -> TrustedText {
        guard depth < 160 else { throw JinjaError(.limit, "a value is nested deeper than 160") }
        switch self {
        case .undefined: return TrustedText("Undefined")
        case .none: return TrustedText("None")
        case .bool(let value): return TrustedText(value ? "True" : "False")
        case .integer(let value): return TrustedText("\(value)")
        case .whole(let digits): return TrustedText(digits)
        case .float(let value): return TrustedText(Self.representation(of: value))
        case .text(let text): return Self.quoted(text)
        case .sequence(let kind, let values, _):
            if kind == .range {
                // Of the members, since only they are kept; a step of 1 is not written.
                throw JinjaError(.unsupported, "a range as text is not supported; use the filter list")
            }
            var text = TrustedText()
            switch kind {
            case .list: text.append("[")
            case .tuple: text.append("(")
            default: text.append(kind.rawValue + "([")
            }
            for (index, value) in values.enumerated() {
                if index > 0 { text.append(", ") }
                text.append(try value.representation(depth: depth + 1))
                try Budget.checkRoom(text)
            }
            switch kind {
            case .list: text.append("]")
            case .tuple: text.append(values.count == 1 ? ",)" : ")")
            default: text.append("])")
            }
            return text
        case .object(let object): return try Self.representation(of: object, depth: depth)
        case .namespace(let namespace):
            var text = TrustedText("<Namespace ")
            text.append(try Self.representation(of: namespace.members, depth: depth))
            text.append(">")
            return text
        case .generator, .loop, .callable:
            throw JinjaError(.unsupported, "a value of type '\(typeName)' as text is not supported")
        }
    }

    private static func representation(of object: JinjaObject, depth: Int) throws -> TrustedText {
        var text = TrustedText("{")
        for (index, entry) in object.entries.enumerated() {
            if index > 0 { text.append(", ") }
            text.append(try entry.key.representation(depth: depth + 1))
            text.append(": ")
            text.append(try entry.value.representation(depth: depth + 1))
            try Budget.checkRoom(text)
        }
        text.append("}")
        return text
    }

    /// `repr` of a string: single quotes, unless only those stand in it.
    static func quoted(_ text: TrustedText) -> TrustedText {
        let quote: Unicode.Scalar = text.scalars.contains("'") && !text.scalars.contains("\"") ? "\"" : "'"
        var result = TrustedText(String(Character(quote)))
        result.append(
            text.mapped { index in
                let scalar = text.scalars[index]
                switch scalar {
                case "\\": return "\\\\"
                case "\n": return "\\n"
                case "\r": return "\\r"
                case "\t": return "\\t"
                case quote: return "\\" + String(Character(quote))
                default: return isPrintable(scalar) ? String(Character(scalar)) : escaped(scalar)
                }
            })
        result.append(String(Character(quote)))
        return result
    }

    /// Python's `str.isprintable` of one character.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == " " { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        func padded(_ width: Int) -> String { String(repeating: "0", count: width - digits.count) + digits }
        if scalar.value < 0x100 { return "\\x" + padded(2) }
        return scalar.value < 0x10000 ? "\\u" + padded(4) : "\\U" + padded(8)
    }

    /// `repr` of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
    static func representation(of value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        let (digits, exponent) = shortest(value.magnitude)
        let sign = value < 0 ? "-" : ""
        guard (-4..<16).contains(exponent) else {
            let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
            let size = exponent.magnitude
            return sign + digits.prefix(1) + fraction + "e" + (exponent < 0 ? "-" : "+") + (size < 10 ? "0" : "")
                + "\(size)"
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 {
            return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
        }
        return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
    }

    /// The shortest digits of a positive number, and the power of ten of the first.
    private static func shortest(_ value: Double) -> (digits: String, exponent: Int) {
        let parts = value.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let whole = String(mantissa[0])
        let all = whole + (mantissa.count > 1 ? String(mantissa[1]) : "")
        let leading = all.prefix { $0 == "0" }.count
        let power = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1 - leading
        var digits = String(all.dropFirst(leading))
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        return (digits, power)
    }
}

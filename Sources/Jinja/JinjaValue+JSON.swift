/// `tojson` as transformers has it: Python's `json.dumps` without escapes of HTML, and without those of Unicode unless
/// they are asked for.
struct JSONWriter {
    var escapesUnicode = false
    /// What stands before each member, a time for each level; nil for one line.
    var indent: String?
    var itemSeparator = TrustedText(", ")
    var keySeparator = TrustedText(": ")
    var sortsKeys = false
    private var output = TrustedText()
    private let budget: Budget

    init(_ budget: Budget) { self.budget = budget }

    /// - Throws: `JinjaError.evaluation` for what JSON does not know.
    mutating func write(_ value: JinjaValue) throws -> TrustedText {
        try append(value, depth: 0)
        return output
    }

    private mutating func append(_ value: JinjaValue, depth: Int) throws {
        guard depth < 128 else { throw JinjaError(.limit, "tojson: a value is nested deeper than 128") }
        switch value {
        case .none: output.append("null")
        case .bool(let flag): output.append(flag ? "true" : "false")
        case .integer(let number): output.append("\(number)")
        case .whole(let digits): output.append(digits)
        case .float(let number): output.append(Self.number(number))
        case .text(let text): append(text)
        case .sequence(.list, let values, _), .sequence(.tuple, let values, _):
            try append(values.count, depth, "[", "]") { writer, index in
                try writer.append(values[index], depth: depth + 1)
            }
        case .object(let object):
            var entries = object.entries
            if sortsKeys {
                var failure: (any Error)?
                let budget = budget
                entries.sort { a, b in
                    do { return try a.key.isLess(b.key, budget) } catch {
                        failure = error
                        return false
                    }
                }
                if let failure { throw failure }
            }
            try append(entries.count, depth, "{", "}") { writer, index in
                try writer.append(key: entries[index].key)
                writer.output.append(writer.keySeparator)
                try writer.append(entries[index].value, depth: depth + 1)
            }
        default:
            throw JinjaError(.evaluation, "tojson: a value of type \(value.typeName) is not JSON serializable")
        }
    }

    private mutating func append(
        _ count: Int, _ depth: Int, _ open: String, _ close: String, _ member: (inout JSONWriter, Int) throws -> Void
    ) throws {
        output.append(open)
        for index in 0..<count {
            if index > 0 { output.append(itemSeparator) }
            breakLine(depth + 1)
            try member(&self, index)
            try Budget.checkRoom(output)
        }
        if count > 0 { breakLine(depth) }
        output.append(close)
    }

    private mutating func breakLine(_ depth: Int) {
        guard let indent else { return }
        output.append("\n" + String(repeating: indent, count: depth))
    }

    private mutating func append(key: JinjaValue) throws {
        switch key {
        case .text(let text): append(text)
        case .none: output.append("\"null\"")
        case .bool(let flag): output.append(flag ? "\"true\"" : "\"false\"")
        case .integer(let number): output.append("\"\(number)\"")
        case .whole(let digits): output.append("\"\(digits)\"")
        case .float(let number): output.append("\"" + Self.number(number) + "\"")
        default:
            throw JinjaError(.evaluation, "tojson: keys must be str, int, float, bool or None, not \(key.typeName)")
        }
    }

    private static func number(_ value: Double) -> String {
        value.isFinite
            ? JinjaValue.representation(of: value) : value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
    }

    private mutating func append(_ text: TrustedText) {
        output.append("\"")
        let escapesUnicode = escapesUnicode
        output.append(text.mapped { Self.escaped(text.scalars[$0], escapesUnicode) })
        output.append("\"")
    }

    private static func escaped(_ scalar: Unicode.Scalar, _ escapesUnicode: Bool) -> String {
        switch scalar {
        case "\"": return "\\\""
        case "\\": return "\\\\"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        case "\u{8}": return "\\b"
        case "\u{C}": return "\\f"
        default:
            let isPlain = scalar.value >= 0x20 && (!escapesUnicode || scalar.value < 0x7F)
            if isPlain { return String(Character(scalar)) }
            return UTF16.encode(scalar)?.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }.joined() ?? ""
        }
    }
}

/// Text of which each part knows whether a template or a user wrote it.
struct TemplateText: Sendable {
    struct Segment: Sendable {
        var bytes: [UInt8]
        var isTrusted: Bool
    }

    var segments: [Segment]

    init(_ text: String, isTrusted: Bool) { segments = [Segment(bytes: Array(text.utf8), isTrusted: isTrusted)] }

    var bytes: [UInt8] { segments.flatMap { $0.bytes } }

    static func + (a: TemplateText, b: TemplateText) -> TemplateText {
        var sum = a
        sum.segments += b.segments
        return sum
    }

    func trimmed() -> TemplateText {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var text = self
        while let first = text.segments.first {
            let rest = Array(first.bytes.drop { isSpace($0) })
            if !rest.isEmpty {
                text.segments[0].bytes = rest
                break
            }
            text.segments.removeFirst()
        }
        while let last = text.segments.last {
            let end = last.bytes.lastIndex { !isSpace($0) }
            if let end {
                text.segments[text.segments.count - 1].bytes = Array(last.bytes[...end])
                break
            }
            text.segments.removeLast()
        }
        return text
    }

    func mapped(_ change: (String) -> String) -> TemplateText {
        var text = self
        for index in text.segments.indices {
            text.segments[index].bytes = Array(change(String(decoding: segments[index].bytes, as: UTF8.self)).utf8)
        }
        return text
    }
}

/// A value of a template expression.
indirect enum TemplateValue: Sendable {
    case undefined
    case bool(Bool)
    case integer(Int)
    case text(TemplateText)
    case list([TemplateValue])
    case object([String: TemplateValue])

    var isTrue: Bool {
        switch self {
        case .undefined: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .text(let value): !value.bytes.isEmpty
        case .list(let values): !values.isEmpty
        case .object(let members): !members.isEmpty
        }
    }

    var asText: TemplateText {
        switch self {
        case .undefined, .list, .object: TemplateText("", isTrusted: true)
        case .bool(let value): TemplateText(value ? "True" : "False", isTrusted: true)
        case .integer(let value): TemplateText("\(value)", isTrusted: true)
        case .text(let value): value
        }
    }

    func equals(_ other: TemplateValue) -> Bool {
        switch (self, other) {
        case (.undefined, .undefined): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.text(let a), .text(let b)): a.bytes == b.bytes
        default: false
        }
    }
}

/// Runs a parsed template.
struct TemplateEvaluator {
    var scope: [String: TemplateValue]
    var output = ChatTemplate.Rendering()

    mutating func run(_ nodes: [TemplateNode]) throws(TokenizerError) {
        for node in nodes {
            switch node {
            case .text(let bytes): output.append(TemplateText(String(decoding: bytes, as: UTF8.self), isTrusted: true))
            case .output(let expression): output.append(try value(expression).asText)
            case .set(let name, let expression): scope[name] = try value(expression)
            case .loop(let variable, let expression, let body): try loop(variable, try value(expression), body)
            case .condition(let branches):
                for branch in branches {
                    if let test = branch.test, !(try value(test).isTrue) { continue }
                    try run(branch.body)
                    break
                }
            }
        }
    }

    private mutating func loop(_ variable: String, _ list: TemplateValue, _ body: [TemplateNode]) throws(TokenizerError)
    {
        guard case .list(let values) = list else { return }
        // What a loop sets is forgotten after each round, as in Jinja.
        let outer = scope
        for (index, value) in values.enumerated() {
            scope = outer
            scope[variable] = value
            scope["loop"] = .object([
                "index": .integer(index + 1), "index0": .integer(index), "first": .bool(index == 0),
                "last": .bool(index == values.count - 1), "length": .integer(values.count),
            ])
            try run(body)
        }
        scope = outer
    }

    private func value(_ expression: TemplateExpression) throws(TokenizerError) -> TemplateValue {
        switch expression {
        case .literal(let value): return value
        case .name(let name): return scope[name] ?? .undefined
        case .member(let base, let key): return Self.member(of: try value(base), try value(key))
        case .slice(let base, let from):
            guard case .list(let values) = try value(base) else { return .undefined }
            guard let from, case .integer(let start) = try value(from) else { return .list(values) }
            return .list(Array(values.dropFirst(start >= 0 ? start : max(0, values.count + start))))
        case .filter(let base, let name): return try Self.filter(try value(base), name)
        case .defined(let base):
            if case .undefined = try value(base) { return .bool(false) }
            return .bool(true)
        case .not(let base): return .bool(!(try value(base).isTrue))
        case .binary(let operation, let left, let right): return try binary(operation, left, right)
        case .conditional(let first, let test, let second):
            if try value(test).isTrue { return try value(first) }
            return try second.map { (other) throws(TokenizerError) in try value(other) } ?? .undefined
        case .raise(let message):
            let text = String(decoding: try value(message).asText.bytes, as: UTF8.self)
            throw TokenizerError(.invalidRequest, "the model's chat template refuses these messages: \(text)")
        }
    }

    private static func member(of base: TemplateValue, _ key: TemplateValue) -> TemplateValue {
        switch (base, key) {
        case (.object(let members), .text(let name)):
            members[String(decoding: name.bytes, as: UTF8.self)] ?? .undefined
        case (.list(let values), .integer(let index)):
            values.indices.contains(index >= 0 ? index : values.count + index)
                ? values[index >= 0 ? index : values.count + index] : .undefined
        default: .undefined
        }
    }

    private static func filter(_ value: TemplateValue, _ name: String) throws(TokenizerError) -> TemplateValue {
        switch (name, value) {
        case ("trim", _): .text(value.asText.trimmed())
        case ("upper", _): .text(value.asText.mapped { $0.uppercased() })
        case ("lower", _): .text(value.asText.mapped { $0.lowercased() })
        case ("length", .list(let values)): .integer(values.count)
        case ("length", .text(let text)): .integer(String(decoding: text.bytes, as: UTF8.self).unicodeScalars.count)
        default: throw TokenizerError(.unsupported, "chat template: the filter \"\(name)\" is not supported")
        }
    }

    private func binary(
        _ operation: String, _ left: TemplateExpression, _ right: TemplateExpression
    ) throws(TokenizerError) -> TemplateValue {
        let a = try value(left)
        if operation == "and" { return a.isTrue ? try value(right) : a }
        if operation == "or" { return a.isTrue ? a : try value(right) }
        let b = try value(right)
        switch (operation, a, b) {
        case ("==", _, _): return .bool(a.equals(b))
        case ("!=", _, _): return .bool(!a.equals(b))
        case ("in", _, .list(let values)): return .bool(values.contains { $0.equals(a) })
        case ("in", .text(let key), .object(let members)):
            return .bool(members[String(decoding: key.bytes, as: UTF8.self)] != nil)
        case ("in", .text(let part), .text(let whole)):
            return .bool(
                String(decoding: whole.bytes, as: UTF8.self).contains(String(decoding: part.bytes, as: UTF8.self)))
        case ("+", .integer(let x), .integer(let y)): return .integer(x &+ y)
        case ("-", .integer(let x), .integer(let y)): return .integer(x &- y)
        case ("%", .integer(let x), .integer(let y)) where y > 0: return .integer(((x % y) + y) % y)
        case ("<", .integer(let x), .integer(let y)): return .bool(x < y)
        case (">", .integer(let x), .integer(let y)): return .bool(x > y)
        case ("<=", .integer(let x), .integer(let y)): return .bool(x <= y)
        case (">=", .integer(let x), .integer(let y)): return .bool(x >= y)
        case ("+", _, _), ("~", _, _): return .text(a.asText + b.asText)
        default: throw TokenizerError(.unsupported, "chat template: \"\(operation)\" of these values is not supported")
        }
    }
}

import Foundation

/// Python's `%` and `str.format`, of which hub templates need little. Other directives are refused by name.
enum Formatting {
    /// `format % values`.
    static func percent(_ format: TrustedText, _ values: [JinjaValue], _ budget: Budget) throws -> TrustedText {
        var result = TrustedText()
        var position = 0
        var rest = values[...]
        while position < format.count {
            guard format.scalars[position] == "%" else {
                result.append(format, position..<position + 1)
                position += 1
                continue
            }
            var directive = Directive()
            position = try directive.read(format, from: position + 1)
            if directive.kind == "%" {
                result.append("%", isTrusted: format.isTrusted(at: position - 1))
                continue
            }
            guard let value = rest.popFirst() else {
                throw JinjaError(.evaluation, "not enough arguments for format string")
            }
            let text = try directive.formatted(value)
            try budget.reserve(result.count + text.count)
            result.append(text)
        }
        // A mapping or nothing may be left over; Python asks for the rest.
        if let extra = rest.first, rest.count > 1 || !isMapping(extra) {
            throw JinjaError(.evaluation, "not all arguments converted during string formatting")
        }
        return result
    }

    private static func isMapping(_ value: JinjaValue) -> Bool { if case .object = value { true } else { false } }

    private struct Directive {
        var flags: Set<Unicode.Scalar> = []
        var width = 0
        var digits: Int?
        var kind: Unicode.Scalar = "s"

        /// - Returns: what lies behind the directive.
        mutating func read(_ format: TrustedText, from start: Int) throws -> Int {
            var position = start
            func current() -> Unicode.Scalar? { position < format.count ? format.scalars[position] : nil }
            func number() throws -> Int {
                var value = 0
                while let digit = current(), ("0"..."9").contains(digit) {
                    value = value * 10 + Int(digit.value - 0x30)
                    guard value <= 10_000 else { throw JinjaError(.limit, "a format wider than 10000") }
                    position += 1
                }
                return value
            }
            while let flag = current(), ["-", "+", " ", "0", "#"].contains(flag) {
                flags.insert(flag)
                position += 1
            }
            width = try number()
            if current() == "." {
                position += 1
                digits = try number()
            }
            guard let kind = current() else { throw JinjaError(.evaluation, "incomplete format") }
            self.kind = kind
            return position + 1
        }

        func formatted(_ value: JinjaValue) throws -> TrustedText {
            var text: TrustedText
            switch kind {
            case "s", "r":
                text = kind == "s" ? try value.asText() : try value.representation(depth: 0)
                try Interpreter.checkMarkup(text, "%")
                if let digits, digits < text.count { text = text[0..<digits] }
            case "d", "i", "u":
                guard let number = value.number else {
                    throw JinjaError(.evaluation, "%d needs a number, not \(value.typeName)")
                }
                guard let integer = value.integer ?? Int(exactly: number.rounded(.towardZero)), digits == nil else {
                    throw JinjaError(.unsupported, "a number beyond 64 bits or %.d is not supported")
                }
                text = TrustedText("\(integer)")
                sign(&text, isNegative: integer < 0)
            case "x", "X", "o":
                guard let integer = value.integer, integer >= 0, digits == nil, !flags.contains("#") else {
                    throw JinjaError(.unsupported, "%\(kind) of a number below 0 or with # is not supported")
                }
                text = TrustedText(String(integer, radix: kind == "o" ? 8 : 16, uppercase: kind == "X"))
                sign(&text, isNegative: false)
            case "f", "F":
                guard let number = value.number else {
                    throw JinjaError(.evaluation, "%f needs a number, not \(value.typeName)")
                }
                guard number.isFinite, number.magnitude < 1e15, digits ?? 6 <= 30 else {
                    throw JinjaError(.unsupported, "%f of such a number is not supported")
                }
                text = TrustedText(Formatting.fixed(number, digits: digits ?? 6))
                sign(&text, isNegative: number.sign == .minus)
            default:
                let name = kind.isASCII ? String(Character(kind)) : "…"
                throw JinjaError(.unsupported, "the format %\(name) is not supported")
            }
            return padded(text)
        }

        private func sign(_ text: inout TrustedText, isNegative: Bool) {
            guard !isNegative, flags.contains("+") || flags.contains(" ") else { return }
            let digits = text
            text = TrustedText(flags.contains("+") ? "+" : " ")
            text.append(digits)
        }

        private func padded(_ text: TrustedText) -> TrustedText {
            let missing = max(0, width - text.count)
            if flags.contains("-") { return text.padded(left: 0, right: missing, TrustedText(" ")) }
            guard flags.contains("0"), kind != "s", kind != "r" else {
                return text.padded(left: missing, right: 0, TrustedText(" "))
            }
            let hasSign = ["-", "+", " "].contains(text.scalars.first)
            var result = text[0..<(hasSign ? 1 : 0)]
            result.append(text[(hasSign ? 1 : 0)..<text.count].padded(left: missing, right: 0, TrustedText("0")))
            return result
        }
    }

    /// A number with so many digits behind the point, correctly rounded.
    static func fixed(_ value: Double, digits: Int) -> String { String(format: "%.\(digits)f", value) }

    /// `format.format(…)` with `{}`, `{0}` and `{name}`.
    static func braces(_ format: TrustedText, _ arguments: CallArguments, _ budget: Budget) throws -> TrustedText {
        var result = TrustedText()
        var (position, automatic) = (0, 0)
        while position < format.count {
            let scalar = format.scalars[position]
            let isDoubled = position + 1 < format.count && format.scalars[position + 1] == scalar
            if (scalar == "{" || scalar == "}"), isDoubled {
                result.append(format, position..<position + 1)
                position += 2
                continue
            }
            guard scalar != "}" else { throw JinjaError(.evaluation, "str.format: single '}' encountered") }
            guard scalar == "{" else {
                result.append(format, position..<position + 1)
                position += 1
                continue
            }
            guard let end = format.first(TrustedText("}"), from: position) else {
                throw JinjaError(.evaluation, "str.format: a replacement field does not end")
            }
            let field = format[position + 1..<end]
            let value: JinjaValue?
            if field.isEmpty {
                value = automatic < arguments.positional.count ? arguments.positional[automatic] : nil
                automatic += 1
            } else if let index = Numbers.digits(field) {
                value = index < arguments.positional.count ? arguments.positional[index] : nil
            } else if field.isAll({ $0 == "_" || $0.properties.isXIDContinue }) {
                value = arguments.named.last { field.isWord($0.name) }?.value
            } else {
                throw JinjaError(.unsupported, "str.format with conversions, members or formats is not supported")
            }
            guard let value else { throw JinjaError(.evaluation, "str.format: an argument is missing") }
            let text = try value.asText()
            try Interpreter.checkMarkup(text, "str.format")
            try budget.reserve(result.count + text.count)
            result.append(text)
            position = end + 1
        }
        return result
    }
}

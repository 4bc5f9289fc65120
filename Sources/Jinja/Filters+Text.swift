extension Interpreter {
    /// The filters that make text of text.
    func text(_ name: String, _ value: JinjaValue, _ arguments: CallArguments) throws -> JinjaValue {
        let text = try value.asText()
        try budget.reserve(text.count)
        switch name {
        case "trim":
            let characters = try arguments.bound(name, ["chars"])[0]
            return .text(text.stripped(try characters.flatMap { $0.isNone ? nil : try $0.text(name) }))
        case "upper":
            try arguments.none(name)
            return .text(text.uppercased)
        case "lower":
            try arguments.none(name)
            return .text(text.lowercased)
        case "capitalize":
            try arguments.none(name)
            return .text(text.capitalized)
        case "title":
            try arguments.none(name)
            return .text(Self.titled(text))
        case "wordcount":
            try arguments.none(name)
            return .integer(Self.words(text))
        case "replace":
            let values = try arguments.bound(name, ["old", "new", "count"])
            guard let old = try values[0]?.asText(), let new = try values[1]?.asText() else {
                throw JinjaError(.evaluation, "the filter 'replace' needs two arguments")
            }
            let count = try values[2].flatMap { $0.isNone ? nil : try $0.integer(name) }
            return .text(try TextMethods.replace(text, old, new, limit: count, budget))
        case "center":
            let width = try arguments.bound(name, ["width"])[0] ?? .integer(80)
            return try TextMethods.call(name, text, CallArguments(positional: [width]), self)
        case "format":
            guard arguments.named.isEmpty else {
                throw JinjaError(.unsupported, "the filter 'format' with names is not supported")
            }
            return .text(try Formatting.percent(text, arguments.positional, budget))
        case "indent": return .text(try indented(text, arguments))
        default: return .text(try truncated(text, arguments))
        }
    }

    /// Words begin behind white space, hyphens and opening brackets.
    private static func titled(_ text: TrustedText) -> TrustedText {
        func isBreak(_ scalar: Unicode.Scalar) -> Bool {
            TrustedText.isSpace(scalar) || ["-", "(", "{", "[", "<"].contains(scalar)
        }
        var result = TrustedText()
        var start = 0
        while start < text.count {
            var end = start + 1
            while end < text.count, isBreak(text.scalars[end]) == isBreak(text.scalars[start]) { end += 1 }
            result.append(text[start..<start + 1].uppercased)
            result.append(text[start + 1..<end].lowercased)
            start = end
        }
        return result
    }

    /// Runs of letters, digits and underscores.
    private static func words(_ text: TrustedText) -> Int {
        var (count, isInside) = (0, false)
        for scalar in text.scalars {
            let isWord =
                scalar == "_" || scalar.properties.numericType != nil
                || [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter]
                    .contains(scalar.properties.generalCategory)
            if isWord, !isInside { count += 1 }
            isInside = isWord
        }
        return count
    }

    private func indented(_ text: TrustedText, _ arguments: CallArguments) throws -> TrustedText {
        let values = try arguments.bound("indent", ["width", "first", "blank"])
        let indent: TrustedText
        if case .text(let own)? = values[0] {
            indent = own
        } else {
            let width = max(0, try values[0]?.integer("indent") ?? 4)
            try budget.reserve(width)
            indent = TrustedText(String(repeating: " ", count: width))
        }
        var source = text
        source.append("\n")
        let lines = source.lines()
        try budget.reserve(lines.count, times: indent.count + 1)
        var result = values[1]?.isTrue ?? false ? indent : TrustedText()
        for (index, line) in lines.enumerated() {
            if index > 0 {
                result.append("\n")
                if values[2]?.isTrue ?? false || !line.isEmpty { result.append(indent) }
            }
            result.append(line)
        }
        return result
    }

    private func truncated(_ text: TrustedText, _ arguments: CallArguments) throws -> TrustedText {
        let values = try arguments.bound("truncate", ["length", "killwords", "end", "leeway"])
        let length = try values[0]?.integer("truncate") ?? 255
        let end = try values[2]?.text("truncate") ?? TrustedText("...")
        let leeway = try values[3].flatMap { $0.isNone ? nil : try $0.integer("truncate") } ?? 5
        guard length >= end.count, leeway >= 0, length < Budget.textLimit else {
            throw JinjaError(.evaluation, "truncate: expected length >= \(end.count) and leeway >= 0")
        }
        if text.count <= length + min(leeway, Budget.textLimit) { return text }
        var result = text[0..<length - end.count]
        if !(values[1]?.isTrue ?? false), let space = result.last(TrustedText(" ")) { result = result[0..<space] }
        result.append(end)
        return result
    }
}

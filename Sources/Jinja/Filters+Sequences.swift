extension Interpreter {
    /// The filters over sequences. Those that are lazy in Python give what can be gone through once.
    func sequence(_ name: String, _ value: JinjaValue, _ arguments: CallArguments) throws -> JinjaValue {
        switch name {
        case "first":
            try arguments.none(name)
            if case .generator(let generator) = value {
                return generator.takeFirst() ?? .undefined("No first item, sequence was empty.")
            }
            return try value.iterated().first ?? .undefined("No first item, sequence was empty.")
        case "last":
            try arguments.none(name)
            if case .generator = value { throw JinjaError(.evaluation, "'generator' object is not reversible") }
            return try value.iterated().last ?? .undefined("No last item, sequence was empty.")
        case "join":
            let values = try arguments.bound(name, ["d", "attribute"])
            let parts = try members(of: value).map { member in
                try (values[1].map { try path($0, of: member) } ?? member).asText()
            }
            return .text(try TextMethods.join(parts, by: values[0]?.asText() ?? TrustedText(), budget))
        case "reverse":
            try arguments.none(name)
            if case .text(let text) = value {
                try budget.reserve(text.count)
                return .text(text.gathered((0..<text.count).reversed()))
            }
            return .generator(JinjaGenerator(try members(of: value).reversed()))
        case "sort":
            let values = try arguments.bound(name, ["reverse", "case_sensitive", "attribute"])
            return .list(
                try sorted(
                    members(of: value), isReversed: values[0]?.isTrue ?? false,
                    by: keys(isCaseSensitive: values[1]?.isTrue ?? false, attribute: values[2])))
        case "dictsort": return try dictionarySorted(value, arguments)
        case "unique":
            let values = try arguments.bound(name, ["case_sensitive", "attribute"])
            let key = key(isCaseSensitive: values[0]?.isTrue ?? false, attribute: values[1])
            var seen: Set<JinjaObject.Key> = []
            return .generator(
                JinjaGenerator(try members(of: value).filter { seen.insert(try hashed(key($0))).inserted }))
        case "map": return .generator(JinjaGenerator(try mapped(value, arguments)))
        case "select", "reject", "selectattr", "rejectattr":
            return .generator(JinjaGenerator(try selected(name, value, arguments)))
        case "batch", "slice": return .generator(JinjaGenerator(try cut(name, value, arguments)))
        default: throw JinjaError(.unsupported, "the filter '\(name)' is not supported")
        }
    }

    /// Attributes with commas between them sort by one after the other.
    private func keys(isCaseSensitive: Bool, attribute: JinjaValue?) -> (JinjaValue) throws -> JinjaValue {
        guard case .text(let text)? = attribute else {
            return key(isCaseSensitive: isCaseSensitive, attribute: attribute)
        }
        let parts = text.split(by: TrustedText(","), limit: -1).map { JinjaValue.text($0) }
        let each = parts.map { key(isCaseSensitive: isCaseSensitive, attribute: $0) }
        return { value in .list(try each.map { try $0(value) }) }
    }

    /// Stable, also where it is reversed.
    private func sorted(
        _ values: [JinjaValue], isReversed: Bool, by key: (JinjaValue) throws -> JinjaValue
    ) throws -> [JinjaValue] {
        let keyed = try values.enumerated().map { (index: $0, value: $1, key: try key($1)) }
        let order = try keyed.sorted { a, b in
            if try a.key.isLess(b.key, budget) { return !isReversed }
            if try b.key.isLess(a.key, budget) { return isReversed }
            return a.index < b.index
        }
        return order.map(\.value)
    }

    private func dictionarySorted(_ value: JinjaValue, _ arguments: CallArguments) throws -> JinjaValue {
        let values = try arguments.bound("dictsort", ["case_sensitive", "by", "reverse"])
        guard case .object(let object) = value else {
            throw try Self.undefinedOr(value, "the filter 'dictsort' needs a mapping, not \(value.typeName)")
        }
        let by = try values[1]?.text("dictsort").string ?? "key"
        guard by == "key" || by == "value" else {
            throw JinjaError(.evaluation, "You can only sort by either \"key\" or \"value\"")
        }
        try budget.reserveList(object.entries.count)
        return .list(
            try sorted(
                object.items, isReversed: values[2]?.isTrue ?? false,
                by: key(isCaseSensitive: values[0]?.isTrue ?? false, attribute: .integer(by == "key" ? 0 : 1))))
    }

    private func mapped(_ value: JinjaValue, _ arguments: CallArguments) throws -> [JinjaValue] {
        // jinja2 does not look at what is false, so that None has no members here.
        let values = value.isTrue ? try members(of: value) : []
        if arguments.positional.isEmpty {
            let bound = try arguments.bound("map", ["attribute", "default"])
            guard let attribute = bound[0] else { throw JinjaError(.evaluation, "map requires a filter argument") }
            return try values.map { try path(attribute, of: $0, standard: bound[1]) }
        }
        let name = try arguments.positional[0].text("map").string
        var rest = arguments
        rest.positional.removeFirst()
        return try values.map { try filter(name, $0, rest) }
    }

    private func selected(_ name: String, _ value: JinjaValue, _ arguments: CallArguments) throws -> [JinjaValue] {
        var rest = arguments
        var attribute: JinjaValue?
        if name.hasSuffix("attr") {
            guard !rest.positional.isEmpty else {
                throw JinjaError(.evaluation, "\(name): Missing parameter for attribute name")
            }
            attribute = rest.positional.removeFirst()
        }
        let wanted = name.hasPrefix("select")
        let testName = rest.positional.isEmpty ? nil : try rest.positional.removeFirst().text(name).string
        return try (value.isTrue ? members(of: value) : []).filter { member in
            let own = try attribute.map { try path($0, of: member) } ?? member
            return try (testName.map { try test($0, own, rest) } ?? own.isTrue) == wanted
        }
    }

    private func cut(_ name: String, _ value: JinjaValue, _ arguments: CallArguments) throws -> [JinjaValue] {
        let bound = try arguments.bound(name, [name == "batch" ? "linecount" : "slices", "fill_with"])
        guard let count = try bound[0]?.integer(name), count > 0 else {
            throw JinjaError(.evaluation, "the filter '\(name)' needs a count above 0")
        }
        let fill = bound[1].flatMap { $0.isNone ? nil : $0 }
        let values = try members(of: value)
        var parts: [JinjaValue] = []
        if name == "batch" {
            var start = 0
            while start < values.count {
                var part = Array(values[start..<min(values.count, start + min(count, values.count))])
                if let fill, part.count < count {
                    try budget.reserveList(count)
                    part += Array(repeating: fill, count: count - part.count)
                }
                parts.append(.list(part))
                start += part.count
            }
            return parts
        }
        try budget.reserveList(count)
        let (size, extra) = (values.count / count, values.count % count)
        var start = 0
        for index in 0..<count {
            let end = start + size + (index < extra ? 1 : 0)
            var part = Array(values[start..<end])
            if let fill, index >= extra { part.append(fill) }
            parts.append(.list(part))
            start = end
        }
        return parts
    }
}

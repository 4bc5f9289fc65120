import JSON

/// How `adapter_config.json` names modules.
extension ConfigurationFile {
    /// Whether the field is left out, null, false or empty.
    package func isOff(_ name: String) -> Bool {
        switch value(name) {
        case nil, .null, .bool(false): true
        case .string(let text): text.isEmpty
        case .array(let elements): elements.isEmpty
        case .object(let object): object.members.isEmpty
        case .bool, .number: false
        }
    }

    /// A text; nil for anything else.
    func optionalText(_ name: String) -> String? { value(name)?.text }

    /// One whole number or several.
    func oneOrMoreIntegers(_ name: String) throws(TextModelError) -> [Int] {
        guard !isOff(name) else { return [] }
        guard value(name)?.elements != nil else { return try [integer(name)].compactMap { $0 } }
        let numbers = try numbers(name) ?? []
        let integers = numbers.compactMap { Int(exactly: $0) }
        guard integers.count == numbers.count else { throw refusal(name, "is not a list of whole numbers") }
        return integers
    }

    /// One text or several.
    func oneOrMoreTexts(_ name: String) throws(TextModelError) -> [String] {
        guard !isOff(name) else { return [] }
        return try value(name)?.elements == nil ? [text(name)].compactMap { $0 } : texts(name) ?? []
    }

    /// A list of names, `all-linear`, or an expression; nil where the field is off.
    func modules(_ name: String) throws(TextModelError) -> ModulePattern? {
        guard !isOff(name) else { return nil }
        guard let text = optionalText(name) else { return .names(try oneOrMoreTexts(name)) }
        if text == "all-linear" { return .allLinear }
        do { return try ModulePattern(expression: text) } catch {
            throw refusal(name, "is not an expression: \(error)")
        }
    }

    /// An object of numbers by patterns of modules' names, in the order of the file; a name that comes twice stands where
    /// it came first and has its last value, as in Python.
    func patterns<Result>(
        _ name: String, _ check: (String, Double) throws(TextModelError) -> Result
    ) throws(TextModelError) -> [(name: String, pattern: ModulePattern, value: Result)] {
        guard !isOff(name) else { return [] }
        guard case .object(let object)? = value(name) else { throw refusal(name, "is not an object") }
        var patterns: [(name: String, pattern: ModulePattern, value: Result)] = []
        var seen: Set<String> = []
        for (key, _) in object.members where seen.insert(key).inserted {
            guard case .number(let number)? = object[key] else { throw refusal("\(name).\(key)", "is not a number") }
            let pattern: ModulePattern
            do { pattern = try ModulePattern(ending: key) } catch {
                throw refusal("\(name).\(key)", "is not an expression: \(error)")
            }
            patterns.append((key, pattern, try check(key, number.double)))
        }
        return patterns
    }
}

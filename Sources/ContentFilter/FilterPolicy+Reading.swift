internal import ConfigurationFiles

extension FilterPolicy {
    /// Reads a policy from a YAML file: `rules`, and `phrases` and `patterns` beside those that ship.
    ///
    /// - Throws: `ConfigurationError` that names the file, the line and what is wrong there.
    package init(file: String) throws { try self.init(try YAMLValue.text(of: file), file: file) }

    /// - Parameter file: what errors name.
    package init(_ text: String, file: String) throws {
        guard let document = try YAMLValue.parse(text, file: file) else {
            throw ConfigurationError(file: file, "holds no rules")
        }
        let fields = try document.fields(["rules", "phrases", "patterns"])
        let rules = try fields["rules"]?.list() ?? []
        self.init(name: file, rules: try rules.map(Rule.init))
        phrases = try (fields["phrases"]?.list() ?? []).flatMap(Self.phrases)
        patterns = try (fields["patterns"]?.list() ?? []).map(Self.pattern)
        try check(rules)
    }

    private static func phrases(_ value: YAMLValue) throws -> [Phrase] {
        let fields = try value.fields(["category", "score", "phrases"])
        let category = FilterCategory(rawValue: try value.required("category", of: fields).text())
        let score = try fields["score"]?.number(0...1) ?? 1
        return try value.required("phrases", of: fields).oneOrMany().map {
            Phrase(try $0.text(), category, score: score)
        }
    }

    private static func pattern(_ value: YAMLValue) throws -> PatternDetector {
        let fields = try value.fields(["name", "category", "score", "pattern"])
        let pattern = try value.required("pattern", of: fields)
        let name = try value.required("name", of: fields).text()
        let category = FilterCategory(rawValue: try value.required("category", of: fields).text())
        let score = try fields["score"]?.number(0...1) ?? 1
        do {
            return try PatternDetector(name, category, score: score, try pattern.text())
        } catch let problem as FilterError {
            throw pattern.error(problem.description)
        }
    }

    /// - Throws: `ConfigurationError` for a rule of a name that another bears, or of a category that nothing finds.
    private func check(_ values: [YAMLValue]) throws {
        let known = FilterCategory.all + phrases.map(\.category) + patterns.map(\.category)
        var names = Set<String>()
        for (rule, value) in zip(rules, values) {
            guard names.insert(rule.name).inserted else {
                throw value.error("there are two rules of the name '\(rule.name.prefix(40))'")
            }
            for category in rule.categories {
                let alone = Rule(rule.name, [category], action: rule.action)
                guard known.contains(where: { alone.covers($0) }) else {
                    throw value.error("nothing finds the category '\(category.prefix(40))'")
                }
            }
        }
    }
}

extension FilterPolicy.Rule {
    fileprivate init(_ value: YAMLValue) throws {
        let fields = try value.fields(["name", "categories", "threshold", "direction", "action", "replacement"])
        self.init(
            try value.required("name", of: fields).text(),
            try value.required("categories", of: fields).oneOrMany().map { try $0.text() },
            threshold: try fields["threshold"]?.number(0...1) ?? 0.5,
            directions: try fields["direction"].map { Set(try $0.oneOrMany().map { try $0.choice() }) }
                ?? Set(FilterPolicy.Direction.allCases), action: try value.required("action", of: fields).choice(),
            replacement: try fields["replacement"]?.text() ?? "[redacted]")
    }
}

extension YAMLValue {
    fileprivate func required(_ name: String, of fields: [String: YAMLValue]) throws -> YAMLValue {
        guard let value = fields[name] else { throw error("'\(name)' is missing") }
        return value
    }

    /// A text that is not empty.
    fileprivate func text() throws -> String {
        let text = try string()
        guard !text.isEmpty else { throw error("a text is expected here") }
        return text
    }
}

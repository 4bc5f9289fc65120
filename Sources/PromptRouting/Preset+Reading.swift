internal import ConfigurationFiles

extension Preset {
    /// - Throws: `ConfigurationError` with the line at fault.
    init(name: String, _ value: YAMLValue) throws {
        let fields = try value.fields(["summary", "variables", "parameters"] + Language.allCases.map(\.rawValue))
        var variables: [String: String] = [:]
        for (name, value) in try fields["variables"]?.entries() ?? [] {
            variables[try name.string()] = try value.string("its default")
        }
        var wordings: [Language: Wording] = [:]
        for language in Language.allCases {
            if let value = fields[language.rawValue] {
                wordings[language] = try Self.wording(value, variables: Set(variables.keys))
            }
        }
        guard !wordings.isEmpty else {
            throw value.error("preset '\(name)' has no wording: give 'en', 'zh' or another language")
        }
        self.init(
            name: name, summary: try fields["summary"]?.string() ?? "", wordings: wordings, variables: variables,
            parameters: try fields["parameters"].map(Self.parameters) ?? Parameters())
    }

    private static func wording(_ value: YAMLValue, variables: Set<String>) throws -> Wording {
        let fields = try value.fields(["system", "template", "examples", "picture"])
        return Wording(
            system: try fields["system"]?.string(),
            template: try fields["template"].map { try template($0, variables) } ?? PromptTemplate("{{input}}"),
            examples: try (fields["examples"]?.list() ?? []).map { value in
                let fields = try value.fields(["user", "assistant"])
                guard let user = fields["user"], let assistant = fields["assistant"] else {
                    throw value.error("an example needs 'user' and 'assistant'")
                }
                return Example(user: try user.string(), assistant: try assistant.string())
            }, picture: try fields["picture"].map { try template($0, variables) })
    }

    private static func template(_ value: YAMLValue, _ variables: Set<String>) throws -> PromptTemplate {
        do {
            let template = try PromptTemplate(value.string())
            guard template.names.contains("input") else { throw value.error("a template needs {{input}}") }
            if let other = template.names.subtracting(variables).subtracting(["input"]).min() {
                throw value.error("{{\(other)}} is not among the preset's variables; give it a default there")
            }
            return template
        } catch let error as PromptTemplate.Malformed {
            throw value.error(error.message)
        }
    }

    private static func parameters(_ value: YAMLValue) throws -> Parameters {
        let fields = try value.fields(["temperature", "top_p", "max_tokens", "stop"])
        return Parameters(
            temperature: try fields["temperature"]?.number(0...2), topP: try fields["top_p"]?.number(0...1),
            maxTokens: try fields["max_tokens"]?.int(1...1_000_000),
            stop: try (fields["stop"]?.oneOrMany() ?? []).map { try $0.string() })
    }
}

import ContentFilter
import PromptRouting

/// A preset, and the values that a client gave for its variables.
struct ChosenPreset: Sendable {
    private let preset: Preset
    private let wording: Preset.Wording
    private let values: [String: String]

    /// - Parameter input: what the user brings.
    /// - Throws: `APIError` for a variable that the preset does not have.
    init(_ preset: Preset, variables: [String: String], input: String) throws {
        guard let wording = preset.wording(for: input) else {
            throw APIError.invalidRequest("The preset '\(preset.name)' has no wording.", parameter: "preset")
        }
        if let other = variables.keys.filter({ preset.variables[$0] == nil }).min() {
            throw APIError.invalidRequest(
                "The preset '\(preset.name)' has no variable '\(other.prefix(100))'; it has: "
                    + "\(preset.variables.keys.sorted())", parameter: "preset_variables")
        }
        (self.preset, self.wording) = (preset, wording)
        values = preset.variables.merging(variables) { $1 }
    }

    private func filled(_ template: PromptTemplate, with input: String) -> String {
        template.filled(values.merging(["input": input]) { $1 })
    }

    /// The conversation with the preset's instructions and examples before it and the last user turn in its template.
    func messages(_ messages: [ChatCompletionRequest.Message]) -> [ChatCompletionRequest.Message] {
        var own = messages
        var system = wording.system.map { [$0] } ?? []
        if let first = own.first, ChatCompletionRequest.Message.instructs(first.role) {
            system.append(own.removeFirst().content)
        }
        if let last = own.lastIndex(where: { $0.role == "user" }) {
            own[last].content = filled(wording.template, with: own[last].content)
        }
        let examples = wording.examples.flatMap { example in
            [
                ChatCompletionRequest.Message(role: "user", content: filled(wording.template, with: example.user)),
                .init(role: "assistant", content: example.assistant),
            ]
        }
        let opening =
            system.isEmpty
            ? []
            : [
                ChatCompletionRequest.Message(role: "system", content: system.joined(separator: "\n\n"))
            ]
        return opening + examples + own
    }

    /// One text that a model goes on with: instructions, examples, and the beginning of the answer.
    func completion(_ input: String) -> String {
        var parts = wording.system.map { [$0] } ?? []
        for example in wording.examples {
            parts.append(filled(wording.template, with: example.user) + "\n\n" + example.assistant)
        }
        parts.append(filled(wording.template, with: input) + "\n\n")
        return parts.joined(separator: "\n\n---\n\n")
    }

    func picture(_ input: String) -> String { wording.picture.map { filled($0, with: input) } ?? input }

    /// Fills in what the client left open.
    func complete(_ parameters: inout GenerationParameters) {
        parameters.temperature = parameters.temperature ?? preset.parameters.temperature.map { Float($0) }
        parameters.top_p = parameters.top_p ?? preset.parameters.topP.map { Float($0) }
        if parameters.max_tokens == nil, parameters.max_completion_tokens == nil {
            parameters.presetMaxTokens = preset.parameters.maxTokens
        }
        if parameters.stop == nil, !preset.parameters.stop.isEmpty {
            parameters.stop = OneOrMany(values: preset.parameters.stop)
        }
    }
}

extension RequestScope {
    /// The preset of a route or a request. What a client puts into its variables is filtered as a prompt is.
    ///
    /// - Parameter input: what the user brings.
    /// - Throws: `APIError`.
    func preset(
        _ decision: RouteDecision, variables: [String: String]?, input: String, _ direction: FilterPolicy.Direction
    ) async throws -> ChosenPreset? {
        guard let preset = decision.preset else {
            guard variables?.isEmpty ?? true else {
                throw APIError.invalidRequest("'preset_variables' needs a 'preset'.", parameter: "preset_variables")
            }
            return nil
        }
        var values = variables ?? [:]
        for (name, value) in values { values[name] = try await filtered(value, direction, from: "preset_variables") }
        return try ChosenPreset(preset, variables: values, input: input)
    }
}

import JSON

/// `thinking`, of Anthropic's and DeepSeek's clients: whether the model is to think before it answers, and how long.
struct ThinkingDemand: Decodable, Sendable {
    let isWanted: Bool
    /// Whether the thoughts' text is sent.
    let isShown: Bool
    /// Tokens of thoughts, at most.
    let tokens: Int?

    private enum Key: String, CodingKey { case type, display, budget_tokens }

    /// - Throws: `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        if let flag = try? decoder.singleValueContainer().decode(Bool.self) {
            (isWanted, isShown, tokens) = (flag, true, nil)
            return
        }
        let container = try decoder.container(keyedBy: Key.self)
        func fault(_ key: Key, _ problem: String) -> JSONError {
            JSONError(.member(of: JSONPath(decoder.codingPath), key.rawValue), problem)
        }
        let type = try container.decode(String.self, forKey: .type)
        guard ["enabled", "adaptive", "disabled"].contains(type) else {
            throw fault(.type, "is '\(type.prefix(40))'; it may be enabled, adaptive or disabled")
        }
        let display = try container.decodeIfPresent(String.self, forKey: .display) ?? "summarized"
        guard ["summarized", "omitted"].contains(display) else {
            throw fault(.display, "is '\(display.prefix(40))'; it may be summarized or omitted")
        }
        tokens = try container.decodeIfPresent(Int.self, forKey: .budget_tokens)
        if let tokens, tokens < 0 { throw fault(.budget_tokens, "is \(tokens); it must be at least 0") }
        (isWanted, isShown) = (type != "disabled", display != "omitted")
    }
}

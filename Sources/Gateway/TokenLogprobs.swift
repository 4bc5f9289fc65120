import Messages

/// Log-probabilities in a chat's form.
struct ChatLogprobs: Encodable {
    struct Token: Encodable {
        var token: String
        var logprob: Float
        var bytes: [UInt8]
        var top_logprobs: [Alternative]
    }

    struct Alternative: Encodable {
        var token: String
        var logprob: Float
        var bytes: [UInt8]
    }

    var content: [Token]

    init(_ tokens: [TokenLogprob]) {
        content = tokens.map { token in
            Token(
                token: tokenText(token.bytes), logprob: finite(token.logprob), bytes: token.bytes,
                top_logprobs: token.alternatives.map {
                    Alternative(token: tokenText($0.bytes), logprob: finite($0.logprob), bytes: $0.bytes)
                })
        }
    }
}

/// Log-probabilities in a plain completion's form: parallel lists.
struct CompletionLogprobs: Encodable {
    var tokens: [String] = []
    /// nil for the prompt's first token, which nothing predicts.
    var token_logprobs: [Float?] = []
    var top_logprobs: [[String: Float]?] = []
    /// Where each token's text begins, in characters.
    var text_offset: [Int] = []
    /// Characters so far.
    private(set) var offset: Int

    private enum Key: String, CodingKey { case tokens, token_logprobs, top_logprobs, text_offset }

    /// - Parameter offset: characters that stand before the first token.
    init(offset: Int = 0) { self.offset = offset }

    /// Counts text that no token stands for.
    mutating func skip(_ text: String) { offset += text.unicodeScalars.count }

    mutating func append(_ token: TokenLogprob) {
        var top = Dictionary(token.alternatives.map { (tokenText($0.bytes), finite($0.logprob)) }) { first, _ in first }
        if !token.alternatives.isEmpty { top[tokenText(token.bytes)] = finite(token.logprob) }
        append(token.bytes, finite(token.logprob), top)
    }

    mutating func append(_ bytes: [UInt8], _ logprob: Float?, _ top: [String: Float]?) {
        tokens.append(tokenText(bytes))
        token_logprobs.append(logprob)
        top_logprobs.append(top)
        text_offset.append(offset)
        // A character's last bytes end it; continuation bytes are not counted.
        offset += bytes.count { $0 & 0xC0 != 0x80 }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(tokens, forKey: .tokens)
        try container.encode(token_logprobs, forKey: .token_logprobs)
        try container.encode(top_logprobs, forKey: .top_logprobs)
        try container.encode(text_offset, forKey: .text_offset)
    }
}

/// A token as OpenAI writes it: its text, or `bytes:\\xe4\\xbd` when it is a part of a character.
func tokenText(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    let digits = Array("0123456789abcdef")
    return "bytes:" + bytes.map { "\\x\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
}

/// JSON has no −∞; OpenAI and vLLM write −9999.
private func finite(_ logprob: Float) -> Float { logprob.isFinite ? logprob : -9_999 }

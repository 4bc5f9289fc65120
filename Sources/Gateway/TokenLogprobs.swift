import Messages

/// Log-probabilities in a chat's form.
struct ChatLogprobs: JSONWritable {
    struct Token: JSONWritable {
        var token: String
        var logprob: Float
        var bytes: [UInt8]
        /// nil in an alternative.
        var alternatives: [Token]?

        func write(to json: inout JSONWriter) {
            json.object {
                $0.field("token", token)
                $0.field("logprob") { $0.number(logprob) }
                $0.field("bytes") { $0.array(bytes) { $0.number(Int($1)) } }
                $0.field("top_logprobs", ifPresent: alternatives)
            }
        }
    }

    var content: [Token]

    init(_ tokens: [Wire.TokenLogprob]) {
        content = tokens.map { token in
            Token(
                token: tokenText(token.bytes), logprob: finite(token.logprob), bytes: token.bytes,
                alternatives: token.alternatives.map {
                    Token(token: tokenText($0.bytes), logprob: finite($0.logprob), bytes: $0.bytes)
                })
        }
    }

    func write(to json: inout JSONWriter) { json.object { $0.field("content", content) } }
}

/// Log-probabilities in a plain completion's form: parallel lists.
struct CompletionLogprobs: JSONWritable {
    var tokens: [String] = []
    /// nil for the prompt's first token, which nothing predicts.
    var token_logprobs: [Float?] = []
    var top_logprobs: [[String: Float]?] = []
    /// Where each token's text begins, in characters.
    var text_offset: [Int] = []
    /// Characters so far.
    private(set) var offset: Int

    /// - Parameter offset: characters that stand before the first token.
    init(offset: Int = 0) { self.offset = offset }

    /// Counts text that no token stands for.
    mutating func skip(_ text: String) { offset += text.unicodeScalars.count }

    mutating func append(_ token: Wire.TokenLogprob) {
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

    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("tokens") { $0.array(tokens) { $0.string($1) } }
            $0.field("token_logprobs") { $0.array(token_logprobs) { $0.number(orNull: $1) } }
            $0.field("top_logprobs") { json in
                json.array(top_logprobs) { json, top in
                    guard let top else { return json.null() }
                    json.object { json in
                        for (token, logprob) in top.sorted(by: { $0.key < $1.key }) {
                            json.field(token) { $0.number(logprob) }
                        }
                    }
                }
            }
            $0.field("text_offset") { $0.array(text_offset) { $0.number($1) } }
        }
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

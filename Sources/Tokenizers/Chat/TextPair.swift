/// A query and a document, whose fit a model judges.
package struct TextPair: Sendable, Hashable {
    package var query: String
    package var document: String
    /// What they are judged by; nil for what the model does by itself.
    package var instruction: String?

    package init(query: String, document: String, instruction: String? = nil) {
        (self.query, self.document, self.instruction) = (query, document, instruction)
    }

    /// The pair that a conversation of `query` and `document` is, after a message of `system` at most; nil for any other.
    package init?(_ messages: [ChatMessage]) {
        let roles = messages.map(\.role)
        guard roles.suffix(2) == ["query", "document"], roles.dropLast(2).allSatisfy({ $0 == "system" }),
            (2...3).contains(roles.count)
        else { return nil }
        let contents = messages.map(\.text)
        self.init(
            query: contents[roles.count - 2], document: contents[roles.count - 1],
            instruction: roles.count == 3 ? contents[0] : nil)
    }

    var messages: [ChatMessage] {
        (instruction.map { [ChatMessage(role: "system", content: $0)] } ?? [])
            + [ChatMessage(role: "query", content: query), ChatMessage(role: "document", content: document)]
    }
}

/// The prompt that a pair becomes: a text in which `{instruction}`, `{query}` and `{document}` stand for the pair's own.
struct PairTemplate {
    private enum Part {
        case literal(String)
        case place(String)
    }

    private static let names = ["instruction", "query", "document"]
    private var parts: [Part] = []

    init(_ text: String) {
        var rest = text[...]
        var literal = ""
        while let brace = rest.firstIndex(of: "{") {
            literal += rest[..<brace]
            rest = rest[brace...]
            if let name = Self.names.first(where: { rest.hasPrefix("{\($0)}") }) {
                parts += [.literal(literal), .place(name)]
                (literal, rest) = ("", rest.dropFirst(name.count + 2))
            } else {
                literal.append(rest.removeFirst())
            }
        }
        parts.append(.literal(literal + rest))
    }

    func has(_ name: String) -> Bool {
        parts.contains { if case .place(name) = $0 { true } else { false } }
    }

    /// What the template itself writes.
    var literals: [String] { parts.compactMap { if case .literal(let text) = $0 { text } else { nil } } }

    /// What the template writes is trusted to hold control tokens; what the pair says is not.
    func render(_ pair: TextPair) -> ChatTemplate.Rendering {
        var rendering = ChatTemplate.Rendering()
        for part in parts {
            switch part {
            case .literal(let text):
                let start = rendering.bytes.count
                rendering.bytes += text.utf8
                if start < rendering.bytes.count { rendering.trusted.append(start..<rendering.bytes.count) }
            case .place("query"): rendering.bytes += pair.query.utf8
            case .place("document"): rendering.bytes += pair.document.utf8
            case .place: rendering.bytes += (pair.instruction ?? "").utf8
            }
        }
        return rendering
    }
}

extension Tokenizer {
    /// The ids of a pair as one prompt.
    ///
    /// - Parameters:
    ///   - template: what takes the place of the checkpoint's own chat template, which has to write what messages of
    ///     `query`, `document` and `system`, the instruction, say.
    ///   - addGenerationPrompt: of the chat template.
    /// - Throws: `TokenizerError.invalidRequest` where there is no place for the instruction, or the template refuses the
    ///   pair; `.unsupported` for a chat template that passes over the query or the document, or is not understood.
    package func renderPair(
        _ pair: TextPair, template: String? = nil, addGenerationPrompt: Bool = true
    ) throws(TokenizerError) -> [Int32] {
        if let template = template.map(PairTemplate.init) {
            if pair.instruction != nil, !template.has("instruction") { throw .noInstruction }
            let rendering = template.render(pair)
            let guarded = added.ids(writtenIn: template.literals)
            return encode(rendering.bytes, trusted: rendering.trusted, guarded: guarded)
        }
        guard let chatTemplate else {
            throw TokenizerError(
                .unsupported, "there is no chat template, which would say how a query and a document are read")
        }
        try chatTemplate.checkPairs(hasInstruction: pair.instruction != nil)
        return try renderChat(pair.messages, addGenerationPrompt: addGenerationPrompt)
    }
}

extension TokenizerError {
    static let noInstruction = TokenizerError(
        .invalidRequest, "the model's template has no place for an instruction; leave it out")
}

extension ChatTemplate {
    /// Checks, by two pairs that differ, that what a pair says reaches the prompt.
    ///
    /// - Throws: `TokenizerError` that says what is passed over, or why the template cannot be rendered.
    func checkPairs(hasInstruction: Bool) throws(TokenizerError) {
        let known = pairChecks.withLock { $0[hasInstruction] }
        let check = known ?? pairCheck(hasInstruction: hasInstruction)
        if known == nil { pairChecks.withLock { $0[hasInstruction] = check } }
        try check.get()
    }

    private func pairCheck(hasInstruction: Bool) -> Result<Void, TokenizerError> {
        Result { () throws(TokenizerError) in
            let pair = TextPair(query: "a", document: "a", instruction: hasInstruction ? "a" : nil)
            let base = try render(Conversation(pair.messages)).bytes
            for index in pair.messages.indices {
                var messages = pair.messages
                messages[index].content = .text("b")
                guard try render(Conversation(messages)).bytes == base else { continue }
                if hasInstruction, index == 0 { throw .noInstruction }
                throw TokenizerError(
                    .unsupported,
                    "\(place) passes over what messages of the role \"\(messages[index].role)\" say; a reranker's renders "
                        + "the roles query and document")
            }
        }
    }
}

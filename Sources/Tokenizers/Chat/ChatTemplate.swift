package import Jinja
import Synchronization

/// A checkpoint's chat template, which is read when the first chat is rendered: a template that is not understood
/// refuses chats and nothing else.
///
/// What a template writes is trusted to hold control tokens; what comes from a message is not, whatever it looks like.
package final class ChatTemplate: Sendable {
    /// Text, and which byte ranges of it come from the template itself.
    package struct Rendering: Sendable {
        package var bytes: [UInt8] = []
        package var trusted: [Range<Int>] = []

        package var text: String { String(decoding: bytes, as: UTF8.self) }

        /// What the template wrote behind the last word of the conversation: at most 1,024 bytes.
        package var opening: String {
            guard let last = trusted.last, last.upperBound == bytes.count else { return "" }
            let end = bytes[last].suffix(1_024)
            // Not from the midst of a character.
            return String(decoding: end.drop { $0 & 0xC0 == 0x80 }, as: UTF8.self)
        }
    }

    /// Where the template stands, for messages: a file, or a key of one.
    package let place: String
    let source: Source
    /// What `strftime_now` reads.
    private let clock: @Sendable () -> LocalTime
    let variables: [String: String]
    private let parsed = Mutex<Result<JinjaTemplate, TokenizerError>?>(nil)
    /// What trying it has shown; see `ChatTemplate+Forms`.
    let probes = Mutex<[Probe: Outcome]>([:])
    let callForms = Mutex<[Bool: CallForm?]>([:])
    private let own = Mutex<Set<Int32>?>(nil)
    /// Whether what a pair says reaches the prompt, by whether it has an instruction, once that was looked at.
    let pairChecks = Mutex<[Bool: Result<Void, TokenizerError>]>([:])

    package enum Source: Sendable {
        case text(String)
        /// Why there is none to render with.
        case fault(TokenizerError)
    }

    /// - Parameter variables: strings that the template may name, such as `bos_token`.
    package init(
        _ source: Source, variables: [String: String], place: String = "chat template",
        clock: @escaping @Sendable () -> LocalTime = LocalTime.now
    ) {
        (self.source, self.variables, self.place, self.clock) = (source, variables, place, clock)
    }

    package convenience init(_ source: String, variables: [String: String], place: String = "chat template") {
        self.init(.text(source), variables: variables, place: place)
    }

    /// The template, read at most once.
    ///
    /// - Throws: `TokenizerError.unsupported` that names the place, the line and the construct.
    func template() throws(TokenizerError) -> JinjaTemplate {
        let result = parsed.withLock { parsed in
            if let parsed { return parsed }
            let result: Result<JinjaTemplate, TokenizerError> =
                switch source {
                case .fault(let error): .failure(error)
                case .text(let text):
                    Result { () throws(JinjaError) in try JinjaTemplate(text) }
                        .mapError { TokenizerError(.unsupported, "\(place), \($0); chats of this model are refused") }
                }
            parsed = result
            return result
        }
        return try result.get()
    }

    /// The added tokens that are not special and that the template writes: control tokens of its own.
    ///
    /// - Throws: as rendering does.
    func ownTokens(among tokens: AddedTokens) throws(TokenizerError) -> Set<Int32> {
        let literals = try template().literals
        return own.withLock { own in
            if let own { return own }
            let found = tokens.ids(writtenIn: literals)
            own = found
            return found
        }
    }

    /// - Throws: `TokenizerError.invalidRequest` with the template's own words when it refuses the conversation, with the
    ///   line where it fails on it, or with the field that it passes over; `.unsupported` for a template that is not
    ///   understood.
    package func render(_ conversation: Conversation) throws(TokenizerError) -> Rendering {
        let text =
            conversation.continuesFinalMessage
            ? try unendedText(conversation) : try text(reading(conversation), conversation)
        let (bytes, trusted) = text.encoded
        return Rendering(bytes: bytes, trusted: trusted)
    }

    /// What the template writes of messages as it takes them.
    func text(_ messages: [JinjaValue], _ conversation: Conversation) throws(TokenizerError) -> TrustedText {
        let template = try template()
        var values = variables.mapValues { JinjaValue.text(TrustedText($0, isTrusted: true)) }
        for (name, value) in conversation.variables.members { values[name] = JinjaValue(value) }
        values["messages"] = .list(messages)
        values["add_generation_prompt"] = .bool(conversation.addGenerationPrompt)
        // transformers passes them to every template.
        values["tools"] = conversation.tools.isEmpty ? JinjaValue.none : .list(conversation.tools.map(JinjaValue.init))
        values["documents"] =
            conversation.documents.isEmpty ? JinjaValue.none : .list(conversation.documents.map(JinjaValue.init))
        do { return try template.render(values, clock: clock) } catch {
            throw switch error.code {
            case .raised:
                TokenizerError(
                    .invalidRequest, "the model's chat template refuses these messages: \(error.message)")
            case .unsupported, .syntax:
                TokenizerError(.unsupported, "\(place), \(error); these messages cannot be rendered")
            case .evaluation, .limit:
                TokenizerError(.invalidRequest, "\(place), \(error); these messages cannot be rendered")
            }
        }
    }
}

extension Tokenizer {
    /// The template for a conversation; nil where the checkpoint has none. Of several by name it is the one called
    /// `tool_use` where there are tools, as in transformers.
    package func template(for conversation: Conversation) -> ChatTemplate? {
        conversation.tools.isEmpty ? chatTemplate : toolTemplate ?? chatTemplate
    }

    /// The ids of a conversation in the checkpoint's own template, and what that wrote behind its last word. Without a
    /// template, messages follow each other as plain lines.
    ///
    /// Added tokens that are not marked special and that the template writes are its control tokens too: some
    /// checkpoints mark the tokens of their turns so. In what a message says they are text, as transformers'
    /// `sanitize_control_tokens` has it.
    ///
    /// - Throws: `TokenizerError.invalidRequest` when the template refuses the conversation or passes over a part of it,
    ///   `.unsupported` when it is not understood.
    package func render(_ conversation: Conversation) throws(TokenizerError) -> (ids: [Int32], opening: String) {
        guard let template = template(for: conversation) else {
            try conversation.checkIsPlain()
            let lines = conversation.messages.compactMap { $0.content == nil ? nil : $0.text }.joined(separator: "\n")
            let ends = conversation.addGenerationPrompt && !lines.isEmpty
            return (encode(ends ? lines + "\n" : lines, addSpecialTokens: true), "")
        }
        let rendering = try template.render(conversation)
        let guarded = try template.ownTokens(among: added)
        return (encode(rendering.bytes, trusted: rendering.trusted, guarded: guarded), rendering.opening)
    }

    /// The ids of messages alone.
    package func renderChat(
        _ messages: [ChatMessage], addGenerationPrompt: Bool = true
    ) throws(TokenizerError) -> [Int32] {
        try render(Conversation(messages, addGenerationPrompt: addGenerationPrompt)).ids
    }
}

extension Conversation {
    /// - Throws: `TokenizerError.invalidRequest` for what only a template can render.
    fileprivate func checkIsPlain() throws(TokenizerError) {
        func refuse(_ what: String, _ field: String) -> TokenizerError {
            TokenizerError(.invalidRequest, "the model has no chat template, which would write \(what)", field: field)
        }
        if !tools.isEmpty { throw refuse("the tools", "tools") }
        if !documents.isEmpty { throw refuse("the documents", "documents") }
        if let (name, _) = variables.members.first(where: { !$0.value.asksForNothing }) {
            throw refuse("'\(name.prefix(100))'", "chat_template_kwargs.\(name.prefix(100))")
        }
        if let index = messages.firstIndex(where: { !$0.calls.isEmpty }) {
            throw refuse("the calls", "messages[\(index)].tool_calls")
        }
        if let index = messages.firstIndex(where: { $0.role != "tool" && $0.members["name"]?.isEmpty == false }) {
            throw refuse("the name", "messages[\(index)].name")
        }
    }
}

import Jinja
import Synchronization

/// One message of a conversation.
package struct ChatMessage: Sendable, Hashable {
    package var role: String
    /// nil for none, as in an assistant's turn that only calls tools.
    package var content: String?

    package init(role: String, content: String?) {
        self.role = role
        self.content = content
    }
}

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
    }

    /// Where the template stands, for messages: a file, or a key of one.
    package let place: String
    private let source: Source
    private let variables: [String: String]
    private let parsed = Mutex<Result<JinjaTemplate, TokenizerError>?>(nil)
    private let own = Mutex<Set<Int32>?>(nil)
    /// Whether what a pair says reaches the prompt, by whether it has an instruction, once that was looked at.
    let pairChecks = Mutex<[Bool: Result<Void, TokenizerError>]>([:])

    package enum Source: Sendable {
        case text(String)
        /// Why there is none to render with.
        case fault(TokenizerError)
    }

    /// The roles of OpenAI's API. They are words of a fixed list and not a client's text, so that a template which
    /// writes `'<|' + message.role + '|>'` gives control tokens for them, and for no other role.
    private static let roles: Set<String> = ["system", "developer", "user", "assistant", "tool", "function"]

    /// - Parameter variables: strings that the template may name, such as `bos_token`.
    package init(_ source: Source, variables: [String: String], place: String = "chat template") {
        (self.source, self.variables, self.place) = (source, variables, place)
    }

    package convenience init(_ source: String, variables: [String: String], place: String = "chat template") {
        self.init(.text(source), variables: variables, place: place)
    }

    /// The template, read at most once.
    ///
    /// - Throws: `TokenizerError.unsupported` that names the place, the line and the construct.
    private func template() throws(TokenizerError) -> JinjaTemplate {
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

    /// - Throws: `TokenizerError.invalidRequest` with the template's own words when it refuses the messages, or with the
    ///   line where it fails on them; `.unsupported` for a template that is not understood.
    package func render(
        _ messages: [ChatMessage], addGenerationPrompt: Bool
    ) throws(TokenizerError) -> Rendering {
        let template = try template()
        var values = variables.mapValues { JinjaValue.text(TrustedText($0, isTrusted: true)) }
        values["messages"] = .list(messages.map(Self.value))
        values["add_generation_prompt"] = .bool(addGenerationPrompt)
        // transformers passes them to every template.
        values["tools"] = JinjaValue.none
        values["documents"] = JinjaValue.none
        do {
            let (bytes, trusted) = try template.render(values).encoded
            return Rendering(bytes: bytes, trusted: trusted)
        } catch {
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

    private static func value(_ message: ChatMessage) -> JinjaValue {
        var object = JinjaObject()
        let role = TrustedText(message.role, isTrusted: roles.contains(message.role))
        object.set(TrustedText("role", isTrusted: true), .text(role))
        let content = message.content.map { JinjaValue.text(TrustedText($0, isTrusted: false)) }
        object.set(TrustedText("content", isTrusted: true), content ?? .none)
        return .object(object)
    }
}

extension Tokenizer {
    /// The ids of a conversation in the checkpoint's own template. Without a template, messages follow each other
    /// as plain lines.
    ///
    /// Added tokens that are not marked special and that the template writes are its control tokens too: some
    /// checkpoints mark the tokens of their turns so. In what a message says they are text, as transformers'
    /// `sanitize_control_tokens` has it.
    ///
    /// - Throws: `TokenizerError.invalidRequest` when the template refuses the messages, `.unsupported` when it is not
    ///   understood.
    package func renderChat(
        _ messages: [ChatMessage], addGenerationPrompt: Bool = true
    ) throws(TokenizerError) -> [Int32] {
        guard let chatTemplate else {
            let lines = messages.compactMap { $0.content }.joined(separator: "\n")
            return encode(addGenerationPrompt && !lines.isEmpty ? lines + "\n" : lines, addSpecialTokens: true)
        }
        let rendering = try chatTemplate.render(messages, addGenerationPrompt: addGenerationPrompt)
        let guarded = try chatTemplate.ownTokens(among: added)
        return encode(rendering.bytes, trusted: rendering.trusted, guarded: guarded)
    }
}

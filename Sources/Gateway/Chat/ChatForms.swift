import ChatFormats
import Messages
import Synchronization

/// How the chats of the models are written, by what their chat templates say. Each is asked for once.
final class ChatForms: Sendable {
    struct Form: Sendable {
        /// How the model writes calls of tools.
        var toolForm: ToolForm
        /// Whether its template writes tools, calls and their results in that form; where it does not, they are written as texts.
        var isOwn: Bool
        /// How it writes thoughts; nil where it has none, or none that is known.
        var reasoning: ReasoningForm?
        /// The names that its template reads of what is given to it.
        var variables: Set<String>
    }

    private let fleet: Fleet
    private let known = Mutex<[String: (revision: String, form: Form)]>([:])

    init(_ fleet: Fleet) { self.fleet = fleet }

    /// - Throws: `APIError` when no tokenizer can say.
    func form(of model: ModelDescription, until deadline: ContinuousClock.Instant) async throws -> Form {
        let revision = model.tokenizerHash.isEmpty ? model.numericsID : model.tokenizerHash
        if let known = known.withLock({ $0[model.base] }), known.revision == revision { return known.form }
        let said = try await fleet.call(
            Wire.Tokenizer.describeChat, Wire.ChatFormRequest(model: model.base), model: model, until: deadline)
        let form = Form(said)
        known.withLock { $0[model.base] = (revision, form) }
        return form
    }
}

extension ChatForms.Form {
    init(_ said: Wire.ChatForm) {
        let own = ToolForm.described(by: said.source)
        isOwn = own != nil && said.takesTools && said.takesToolCalls && said.takesToolResults
        toolForm = isOwn ? own ?? .standard : .standard
        reasoning = ReasoningForm.described(by: said.source)
        variables = Set(said.variables)
    }
}

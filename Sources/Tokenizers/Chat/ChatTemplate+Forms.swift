import JSON
import Jinja

/// What a template makes of things that not every template knows. Nobody writes that down, so it is found by trying the
/// template once on small conversations: what it writes of them shows what it takes.
extension ChatTemplate {
    enum Probe: Hashable, Sendable {
        /// Whether lists of parts are written as texts are; whether only lists are written.
        case takesParts(role: String)
        case needsParts(role: String)
        case takesName(role: String)
        case takesTools, takesToolResults
    }

    func holds(_ probe: Probe) -> Bool {
        if let known = probes.withLock({ $0[probe] }) { return known }
        let found: Bool =
            switch probe {
            case .takesParts(let role): takesParts(role)
            case .needsParts(let role): needsParts(role)
            case .takesName(let role):
                tried(conversation(of: role, name: "probe_name"))?.contains("probe_name") ?? false
            case .takesTools: takesTools
            case .takesToolResults: takesToolResults
            }
        probes.withLock { $0[probe] = found }
        return found
    }

    /// How calls are written; nil where they are not.
    var callForm: CallForm? {
        if let known = callForms.withLock({ $0 }) { return known }
        let found = findCallForm()
        callForms.withLock { $0 = .some(found) }
        return found
    }

    /// The names that it reads of what it is rendered with.
    ///
    /// - Throws: as rendering does.
    package func reads() throws(TokenizerError) -> Set<String> {
        try template().variables.subtracting(Self.functions)
    }

    private static let functions: Set<String> = ["range", "namespace", "dict", "raise_exception", "strftime_now"]

    package var takesToolCalls: Bool { callForm != nil }
    package var writesTools: Bool { holds(.takesTools) }
    package var writesToolResults: Bool { holds(.takesToolResults) }
    /// Empty for a template that is not there.
    package var text: String { if case .text(let text) = source { text } else { "" } }

    // MARK: Trying

    /// What is written of a conversation; nil where the template refuses it.
    private func tried(
        _ messages: [ChatMessage], tools: [JSON.JSONValue] = [], _ calls: CallForm? = nil, parts: Bool = false
    ) -> String? {
        var conversation = Conversation(messages)
        conversation.tools = tools
        var form = MessageForm(takesParts: { _ in parts }, needsParts: { _ in false })
        if let calls { form.calls = calls }
        return try? text(form.values(messages), conversation).string
    }

    private func conversation(of role: String, name: String? = nil, parts: Bool = false) -> [ChatMessage] {
        let part = JSON.JSONValue.object(JSONObject([("type", .string("text")), ("text", .string("probe_text"))]))
        var members: [(key: String, value: JSON.JSONValue)] = name.map { [("name", .string($0))] } ?? []
        if role == "tool" { members.append(("tool_call_id", .string(Self.callID))) }
        let message = ChatMessage(
            role: role, content: parts ? .parts([part]) : .text("probe_text"), members: JSONObject(members))
        let user = ChatMessage(role: "user", content: "probe_user")
        switch role {
        case "user": return [message]
        case "assistant": return [user, message, user]
        case "tool": return [user, Self.call(text: nil), message]
        default: return [message, user]
        }
    }

    private func takesParts(_ role: String) -> Bool {
        let calls = role == "tool" ? callForm : nil
        guard let text = tried(conversation(of: role), calls), text.contains("probe_text") else { return false }
        return tried(conversation(of: role, parts: true), calls, parts: true) == text
    }

    private func needsParts(_ role: String) -> Bool {
        let calls = role == "tool" ? callForm : nil
        if tried(conversation(of: role), calls)?.contains("probe_text") == true { return false }
        return tried(conversation(of: role, parts: true), calls, parts: true)?.contains("probe_text") ?? false
    }

    /// What is refused in every way shows nothing: the conversation itself may be taken.
    private func shows(_ text: String, _ tries: [String?]) -> Bool {
        let written = tries.compactMap { $0 }
        return written.isEmpty || written.contains { $0.contains(text) }
    }

    private var takesTools: Bool {
        guard let names = try? reads(), names.contains("tools") else { return false }
        return shows("probe_tool", ["user", "system"].map { tried(conversation(of: $0), tools: Self.tools) })
    }

    private var takesToolResults: Bool {
        var messages = conversation(of: "tool")
        if callForm == nil { messages[1] = ChatMessage(role: "assistant", content: "probe_answer") }
        return shows("probe_text", [Self.tools, []].map { tried(messages, tools: $0, callForm) })
    }

    private static let callID = "call_0123456789abcdefghijkl"

    private static let tools: [JSON.JSONValue] = {
        let text = """
            [{"type": "function", "function": {"name": "probe_tool", "description": "d", "parameters": {"type": "object",
            "properties": {"probe_key": {"type": "string", "description": "k"}}, "required": ["probe_key"]}}}]
            """
        return (try? JSON.JSONParser.parse(Array(text.utf8)).elements) ?? []
    }()

    private static func call(text: String?) -> ChatMessage {
        let function = JSONObject([
            ("name", .string("probe_call")), ("arguments", .string(#"{"probe_key": "probe_value"}"#)),
        ])
        let call = JSONObject([
            ("id", .string(callID)), ("type", .string("function")), ("function", .object(function)),
        ])
        return ChatMessage(
            role: "assistant", content: text.map { .text($0) },
            members: JSONObject([("tool_calls", .array([.object(call)]))]))
    }

    private func findCallForm() -> CallForm? {
        guard text.contains("tool_call") else { return nil }
        var isRefused = true
        for shortensIDs in [false, true] {
            for takesObjects in [true, false] {
                var form = CallForm(takesObjects: takesObjects, shortensIDs: shortensIDs)
                form.absences = CallForm.Absence.allCases.filter { absence in
                    var single = form
                    single.absences = [absence]
                    let writes = writesCalls(in: single, text: nil)
                    if writes != nil { isRefused = false }
                    return writes ?? false
                }
                guard !form.absences.isEmpty else { continue }
                form.takesText = writesCalls(in: form, text: "probe_answer") ?? true
                return form
            }
        }
        return isRefused ? CallForm() : nil
    }

    /// Whether calls are written whole; nil where the template refuses the conversation.
    private func writesCalls(in form: CallForm, text: String?) -> Bool? {
        var messages = conversation(of: "tool")
        messages[1] = Self.call(text: text)
        let tries = [Self.tools, []].compactMap { tried(messages, tools: $0, form) }
        return tries.isEmpty
            ? nil
            : tries.contains { written in
                let wanted = ["probe_call", "probe_key", "probe_value"] + (text.map { [$0] } ?? [])
                let isWhole = wanted.allSatisfy { written.contains($0) }
                // Neither as Python shows an object, nor as JSON within JSON.
                return isWhole && !written.contains("{'probe_key'") && !written.contains(#"\"probe_key"#)
            }
    }

    // MARK: Reading

    /// The messages as this template takes them.
    ///
    /// - Throws: `TokenizerError` for what it would pass over, with the field.
    func reading(_ conversation: Conversation) throws(TokenizerError) -> [JinjaValue] {
        let isForDevelopers = try template().literals.contains("developer")
        try check(conversation)
        var form = MessageForm(
            takesParts: { self.holds(.takesParts(role: $0)) }, needsParts: { self.holds(.needsParts(role: $0)) })
        let hasCalls = conversation.messages.contains { !$0.calls.isEmpty || $0.role == "tool" }
        if hasCalls, let callForm { form.calls = callForm }
        if !isForDevelopers { form.developer = "system" }
        return try form.values(conversation.messages)
    }

    /// - Throws: `TokenizerError.invalidRequest` with the field for what the template does not write.
    private func check(_ conversation: Conversation) throws(TokenizerError) {
        func refuse(_ field: String, _ what: String) -> TokenizerError {
            TokenizerError(.invalidRequest, "the model's chat template \(what)", field: field)
        }
        if !conversation.tools.isEmpty, !writesTools { throw refuse("tools", "does not write the tools of 'tools'") }
        if !conversation.documents.isEmpty, try !reads().contains("documents") {
            throw refuse("documents", "does not read 'documents'; write them into a message")
        }
        try check(conversation.variables)
        for (index, message) in conversation.messages.enumerated() {
            let place = "messages[\(index)]"
            if !message.calls.isEmpty {
                guard let callForm else { throw refuse("\(place).tool_calls", "does not write calls of tools") }
                if !callForm.takesText, !message.text.isEmpty {
                    throw refuse(
                        "\(place).content", "does not write a turn's calls where it says something beside them")
                }
            }
            if message.role == "tool", !writesToolResults {
                throw refuse("\(place).role", "does not write what turns of the role 'tool' say")
            }
            if message.role != "tool", let name = message.members["name"], !name.isEmpty,
                !holds(.takesName(role: message.role))
            {
                throw refuse("\(place).name", "does not write names of turns; write it into 'content'")
            }
        }
    }

    private func check(_ given: JSONObject) throws(TokenizerError) {
        for (name, value) in given.members {
            let field = "chat_template_kwargs.\(name.prefix(100))"
            if ["messages", "tools", "documents", "add_generation_prompt"].contains(name) {
                throw TokenizerError(
                    .invalidRequest, "'\(name)' is a field of the request, not of 'chat_template_kwargs'", field: field)
            }
            if value.asksForNothing { continue }
            let known = try reads()
            guard !known.contains(name) else { continue }
            let names = known.subtracting(["messages", "add_generation_prompt"]).subtracting(variables.keys)
            throw TokenizerError(
                .invalidRequest,
                "the model's chat template does not read '\(name.prefix(100))'; it reads: \(names.sorted())",
                field: field)
        }
    }
}

import JSON
import Jinja

/// What a template makes of things that not every template knows. Nobody writes that down, so it is found by trying the
/// template once on small conversations: what it writes of them shows what it takes.
extension ChatTemplate {
    enum Outcome { case written, passedOver, refused }

    enum Probe: Hashable, Sendable {
        /// Whether what turns of a role say is written: as a text, as a list of one part, and as one of several.
        case writesText(role: String)
        case writesPart(role: String)
        case writesParts(role: String)
        case writesName(role: String)
        case writesTools(behindSystem: Bool)
        case writesToolResults(besideTools: Bool)
    }

    func outcome(_ probe: Probe) -> Outcome {
        if let known = probes.withLock({ $0[probe] }) { return known }
        let found: Outcome =
            switch probe {
            case .writesText(let role): outcome(["probe_text"], tried(conversation(of: role)))
            case .writesPart(let role): writesParts(role, ["probe_text"])
            case .writesParts(let role): writesParts(role, ["probe_text", "probe_more"])
            case .writesName(let role): outcome(["probe_name"], tried(conversation(of: role, name: "probe_name")))
            case .writesTools(let behindSystem): writesTools(behindSystem: behindSystem)
            case .writesToolResults(let besideTools): writesResults(besideTools: besideTools)
            }
        probes.withLock { $0[probe] = found }
        return found
    }

    private func outcome(_ texts: [String], _ written: String?) -> Outcome {
        guard let written else { return .refused }
        return texts.allSatisfy { written.contains($0) } ? .written : .passedOver
    }

    /// How calls are written; nil where they are not.
    ///
    /// - Parameter besideTools: in a conversation with tools: some templates write calls there alone.
    func callForm(besideTools: Bool) -> CallForm? {
        if let known = callForms.withLock({ $0[besideTools] }) { return known }
        let found = findCallForm(besideTools ? Self.tools : [])
        callForms.withLock { $0[besideTools] = .some(found) }
        return found
    }

    /// The names that it reads of what it is rendered with.
    ///
    /// - Throws: as rendering does.
    package func reads() throws(TokenizerError) -> Set<String> {
        try template().variables.subtracting(Self.functions)
    }

    private static let functions: Set<String> = ["range", "namespace", "dict", "raise_exception", "strftime_now"]

    package var takesToolCalls: Bool { callForm(besideTools: true) != nil }
    package var writesTools: Bool {
        [false, true].contains { outcome(.writesTools(behindSystem: $0)) != .passedOver }
    }
    package var writesToolResults: Bool { outcome(.writesToolResults(besideTools: true)) != .passedOver }
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

    /// - Parameter texts: several for a list of parts.
    private func conversation(
        of role: String, name: String? = nil, parts texts: [String]? = nil
    ) -> [ChatMessage] {
        let parts = texts?.map {
            JSON.JSONValue.object(JSONObject([("type", .string("text")), ("text", .string($0))]))
        }
        var members: [(key: String, value: JSON.JSONValue)] = name.map { [("name", .string($0))] } ?? []
        if role == "tool" { members.append(("tool_call_id", .string(Self.callID))) }
        let message = ChatMessage(
            role: role, content: parts.map { .parts($0) } ?? .text("probe_text"), members: JSONObject(members))
        let user = ChatMessage(role: "user", content: "probe_user")
        switch role {
        case "user": return [message]
        case "assistant": return [user, message, user]
        case "tool": return [user, Self.call(text: nil), message]
        default: return [message, user]
        }
    }

    /// Whether all parts are written, and not as Python or JSON shows a list.
    private func writesParts(_ role: String, _ texts: [String]) -> Outcome {
        let calls = role == "tool" ? callForm(besideTools: true) : nil
        guard let written = tried(conversation(of: role, parts: texts), calls, parts: true) else { return .refused }
        let isShown = ["'type'", "\"type\"", #"\"type"#].contains { written.contains($0) }
        return isShown ? .passedOver : outcome(texts, written)
    }

    private func writesTools(behindSystem: Bool) -> Outcome {
        guard let names = try? reads(), names.contains("tools") else { return .passedOver }
        return outcome(["probe_tool"], tried(conversation(of: behindSystem ? "system" : "user"), tools: Self.tools))
    }

    private func writesResults(besideTools: Bool) -> Outcome {
        var messages = conversation(of: "tool")
        let form = callForm(besideTools: besideTools)
        if form == nil { messages[1] = ChatMessage(role: "assistant", content: "probe_answer") }
        return outcome(["probe_text"], tried(messages, tools: besideTools ? Self.tools : [], form))
    }

    private static let callID = "call_0123456789abcdefghijkl"

    private static let tools: [JSON.JSONValue] = {
        let text = """
            [{"type": "function", "function": {"name": "probe_tool", "description": "d", "parameters": {"type": "object",
            "properties": {"probe_key": {"type": "string", "description": "k"}}, "required": ["probe_key"]}}}]
            """
        return (try? JSON.JSONParser.parse(Array(text.utf8)).elements) ?? []
    }()

    private static func call(text: String?, ids: [String] = [callID]) -> ChatMessage {
        let calls = ids.enumerated().map { index, id in
            let arguments = #"{"probe_key\#(index)": "probe_value\#(index)"}"#
            let function = JSONObject([
                ("name", .string("probe_call\(index)")), ("arguments", .string(arguments)),
            ])
            return JSON.JSONValue.object(
                JSONObject([("id", .string(id)), ("type", .string("function")), ("function", .object(function))]))
        }
        return ChatMessage(
            role: "assistant", content: text.map { .text($0) }, members: JSONObject([("tool_calls", .array(calls))]))
    }

    private func findCallForm(_ tools: [JSON.JSONValue]) -> CallForm? {
        guard text.contains("tool_call") else { return nil }
        var isRefused = true
        for shortensIDs in [false, true] {
            for takesObjects in [true, false] {
                var form = CallForm(takesObjects: takesObjects, shortensIDs: shortensIDs)
                form.absences = CallForm.Absence.allCases.filter { absence in
                    var single = form
                    single.absences = [absence]
                    let writes = writesCalls(in: single, text: nil, tools)
                    if writes != nil { isRefused = false }
                    return writes ?? false
                }
                guard !form.absences.isEmpty else { continue }
                form.takesText = writesCalls(in: form, text: "probe_answer", tools) ?? true
                if !form.takesText {
                    form.splitsText = true
                    form.splitsText = writesCalls(in: form, text: "probe_answer", tools) ?? false
                }
                form.takesParallel = writesCalls(in: form, text: nil, count: 2, tools) ?? false
                return form
            }
        }
        return isRefused ? CallForm() : nil
    }

    /// Whether calls are written whole; nil where the template refuses the conversation.
    private func writesCalls(
        in form: CallForm, text: String?, count: Int = 1, _ tools: [JSON.JSONValue]
    ) -> Bool? {
        let ids = (0..<count).map { String(Self.callID.dropLast()) + "\($0)" }
        var messages = [ChatMessage(role: "user", content: "probe_user"), Self.call(text: text, ids: ids)]
        for id in ids {
            messages.append(
                ChatMessage(
                    role: "tool", content: "probe_text", members: JSONObject([("tool_call_id", .string(id))])))
        }
        guard let written = tried(messages, tools: tools, form) else { return nil }
        let wanted = (0..<count).flatMap { index in
            ["probe_call", "probe_key", "probe_value"].map { $0 + "\(index)" }
        }
        let isWhole = (wanted + (text.map { [$0] } ?? [])).allSatisfy { written.contains($0) }
        // Neither as Python shows an object, nor as JSON within JSON.
        return isWhole && !written.contains("{'probe_key0'") && !written.contains(#"\"probe_key0"#)
    }

    // MARK: Reading

    /// The messages as this template takes them.
    ///
    /// - Throws: `TokenizerError` for what it would pass over, with the field.
    func reading(_ conversation: Conversation) throws(TokenizerError) -> [JinjaValue] {
        _ = try template()
        try check(conversation)
        var form = MessageForm(
            takesParts: { self.outcome(.writesParts(role: $0)) == .written },
            needsParts: {
                self.outcome(.writesText(role: $0)) != .written && self.outcome(.writesPart(role: $0)) == .written
            })
        let hasCalls = conversation.messages.contains { !$0.calls.isEmpty || $0.role == "tool" }
        if hasCalls, let calls = callForm(besideTools: !conversation.tools.isEmpty) { form.calls = calls }
        form.developer = developer
        return try form.values(conversation.messages)
    }

    /// - Throws: `TokenizerError.invalidRequest` with the field for what the template does not write.
    private func check(_ conversation: Conversation) throws(TokenizerError) {
        func refuse(_ field: String, _ what: String) -> TokenizerError {
            TokenizerError(.invalidRequest, "the model's chat template \(what)", field: field)
        }
        let behindSystem = ["system", "developer"].contains(conversation.messages.first?.role)
        if !conversation.tools.isEmpty, outcome(.writesTools(behindSystem: behindSystem)) == .passedOver {
            let hint = behindSystem || !writesTools ? "" : " without a message of the system"
            throw refuse("tools", "does not write the tools of 'tools'\(hint)")
        }
        if !conversation.documents.isEmpty, try !reads().contains("documents") {
            throw refuse("documents", "does not read 'documents'; write them into a message")
        }
        try check(conversation.variables)
        let besideTools = !conversation.tools.isEmpty
        for (index, message) in conversation.messages.enumerated() {
            let place = "messages[\(index)]"
            if !message.calls.isEmpty {
                guard let callForm = callForm(besideTools: besideTools) else {
                    throw refuse("\(place).tool_calls", "does not write calls of tools")
                }
                if !callForm.takesText, !callForm.splitsText, !message.text.isEmpty {
                    throw refuse(
                        "\(place).content", "does not write a turn's calls where it says something beside them")
                }
            }
            // That a template has no place for other turns is its authors' choice, as in transformers.
            if message.role == "tool", outcome(.writesToolResults(besideTools: besideTools)) == .passedOver {
                throw refuse("\(place).role", "does not write what turns of the role 'tool' say")
            }
            if message.role != "tool", let name = message.members["name"], !name.isEmpty,
                outcome(.writesName(role: message.role)) == .passedOver
            {
                throw refuse("\(place).name", "does not write names of turns; write it into 'content'")
            }
        }
    }

    /// What a developer is called: templates that do not have the word know them as the system.
    private var developer: String { (try? template().literals.contains("developer")) == true ? "developer" : "system" }

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

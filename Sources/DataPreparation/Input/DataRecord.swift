import JSON

/// A sample or a document: the fields of a line that are known, in their order.
package struct DataRecord: Sendable {
    /// What TRL's trainers and OpenAI's jobs take.
    package enum Form: String, Sendable, CaseIterable, Codable {
        case text, messages, prompt
        case completion = "prompt and completion"
        case judgement = "prompt, completion and label"
        case preference = "prompt, chosen and rejected"
        case implicitPreference = "chosen and rejected"
        case openAIPreference = "input, preferred_output and non_preferred_output"

        /// The fields that hold texts or messages, the one first by which samples of one prompt are known.
        var fields: [String] {
            switch self {
            case .text: ["text"]
            case .messages: ["messages"]
            case .prompt: ["prompt"]
            case .completion, .judgement: ["prompt", "completion"]
            case .preference: ["prompt", "chosen", "rejected"]
            case .implicitPreference: ["chosen", "rejected"]
            case .openAIPreference: ["input", "preferred_output", "non_preferred_output"]
            }
        }

        /// Further fields that a trainer reads.
        var others: [String] {
            switch self {
            case .text, .prompt: []
            case .judgement: ["label", "tools", "chat_template_kwargs", "ends"]
            default: ["tools", "chat_template_kwargs", "ends"]
            }
        }
    }

    let form: Form
    var members: [(key: String, value: JSONValue)]
    /// Names of fields that were left out.
    var leftOut: [String] = []

    /// A document of a text file.
    init(text: String) { (form, members) = (.text, [("text", .string(text))]) }

    /// One line of JSON.
    var json: [UInt8] { JSONValue.object(JSONObject(members)).bytes }

    /// What is read and changed by the steps: texts, and the contents of messages.
    var texts: [String] {
        var texts: [String] = []
        for (key, value) in members where form.fields.contains(key) { Self.collect(value, into: &texts) }
        return texts
    }

    /// The prompt, or the document: what records are told apart by where they are split.
    var beginning: [UInt8] {
        guard let first = members.first(where: { $0.key == form.fields[0] })?.value else { return [] }
        // Of a conversation, what its first user said.
        let turns = first.elements ?? first["messages"]?.elements
        guard form == .messages || form == .implicitPreference, let turns,
            let user = turns.firstIndex(where: { $0["role"]?.text == "user" })
        else { return first.bytes }
        return JSONValue.array(Array(turns[...user])).bytes
    }

    /// Strings that no step changes: arguments of calls, tools, fields kept as they are.
    var otherStrings: [String] {
        var strings: [String] = []
        for (key, value) in members {
            if form.fields.contains(key) {
                Self.collectOthers(value, isText: true, into: &strings)
            } else {
                Self.collectOthers(value, isText: false, into: &strings)
            }
        }
        return strings
    }

    /// Every text changed.
    func mapped(_ change: (String) -> String) -> DataRecord {
        var record = self
        for index in members.indices where form.fields.contains(members[index].key) {
            record.members[index].value = Self.changed(members[index].value, change)
        }
        return record
    }

    // MARK: Texts in values: a string, a list of messages, or an object with `messages`

    private static func collect(_ value: JSONValue, into texts: inout [String]) {
        switch value {
        case .string(let text): texts.append(text)
        case .array(let messages):
            for message in messages {
                switch message["content"] {
                case .string(let text): texts.append(text)
                case .array(let parts): texts += parts.compactMap { $0["text"]?.text }
                default: continue
                }
            }
        case .object(let object):
            if let messages = object["messages"] { collect(messages, into: &texts) }
        default: break
        }
    }

    private static func changed(_ value: JSONValue, _ change: (String) -> String) -> JSONValue {
        switch value {
        case .string(let text): .string(change(text))
        case .array(let messages): .array(messages.map { replaced("content", in: $0) { content($0, change) } })
        case .object: replaced("messages", in: value) { changed($0, change) }
        default: value
        }
    }

    private static func content(_ value: JSONValue, _ change: (String) -> String) -> JSONValue {
        switch value {
        case .string(let text): .string(change(text))
        case .array(let parts):
            .array(
                parts.map { replaced("text", in: $0) { $0.text.map { .string(change($0)) } ?? $0 } })
        default: value
        }
    }

    private static func replaced(
        _ key: String, in value: JSONValue, _ change: (JSONValue) -> JSONValue
    ) -> JSONValue {
        guard case .object(let object) = value else { return value }
        return .object(
            JSONObject(object.members.map { ($0.key, $0.key == key ? change($0.value) : $0.value) }))
    }

    /// - Parameter isText: whether `content` and `text` of messages are texts, which are not told here.
    private static func collectOthers(_ value: JSONValue, isText: Bool, into strings: inout [String]) {
        switch value {
        case .string(let text): if !isText { strings.append(text) }
        case .array(let elements):
            for element in elements { collectOthers(element, isText: isText && element.text == nil, into: &strings) }
        case .object(let object):
            for (key, value) in object.members where key != "role" && key != "type" {
                let holdsText = isText && ["content", "text", "messages"].contains(key)
                collectOthers(value, isText: holdsText, into: &strings)
            }
        default: break
        }
    }
}

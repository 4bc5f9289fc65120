import JSON

extension DataRecord {
    /// What is wrong with a line: a clause behind «line 7».
    struct Fault: Error, Sendable { let clause: String }

    /// Reads a line of JSON.
    ///
    /// - Parameter kept: names of further fields that go on as they are.
    /// - Throws: `Fault`, which never says what a text says.
    init(line: [UInt8], keeping kept: Set<String>) throws(Fault) {
        let value: JSONValue
        do { value = try JSONParser.parse(line) } catch {
            let place = error.path.description
            throw Fault(clause: "is no JSON: \(place.isEmpty ? "" : Self.shown(place) + " ")\(error.problem)")
        }
        guard case .object(let object) = value else {
            let advice = value.elements != nil ? "; a list has to be written as JSON Lines, an element a line" : ""
            throw Fault(clause: "must be a JSON object, not \(value.kind)\(advice)")
        }
        // Of equal names the last one counts.
        var members: [(key: String, value: JSONValue)] = []
        for (key, value) in object.members {
            members.removeAll { $0.key == key }
            members.append((key, value))
        }
        // Null is a field that is not there, as in files that `datasets` writes.
        members.removeAll { $0.value.isNull }
        let names = Set(members.map(\.key))
        form = try Self.form(names)
        let known = Set(form.fields + form.others).union(kept)
        leftOut = members.map(\.key).filter { !known.contains($0) }
        self.members = members.filter { known.contains($0.key) }
        for name in form.fields { try Self.check(members.first { $0.key == name }?.value ?? .null, name, form) }
        if form == .judgement {
            guard case .bool? = members.first(where: { $0.key == "label" })?.value else {
                throw Fault(clause: "\"label\" must be true or false")
            }
        }
    }

    /// A field's name as it can be printed: at most 40 characters, without control characters.
    static func shown(_ name: String) -> String {
        String(
            String.UnicodeScalarView(
                name.prefix(40).unicodeScalars.prefix(80).map { scalar in
                    scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                        ? "·" : scalar
                }))
    }

    private static func form(_ names: Set<String>) throws(Fault) -> Form {
        if names.contains("completions") || names.contains("labels") {
            throw Fault(
                clause: "has \"completions\" or \"labels\", steps that are judged one by one; they are not read")
        }
        func has(_ needed: String...) -> Bool { names.isSuperset(of: needed) }
        if has("messages") { return .messages }
        if has("input", "preferred_output", "non_preferred_output") { return .openAIPreference }
        if has("chosen", "rejected") { return names.contains("prompt") ? .preference : .implicitPreference }
        if has("prompt", "completion") { return names.contains("label") ? .judgement : .completion }
        if has("text") { return .text }
        if has("prompt") { return .prompt }
        let present = names.sorted().prefix(8).map { "\"\(shown($0))\"" }.joined(separator: ", ")
        throw Fault(
            clause: "is no form that is known: it has \(present.isEmpty ? "nothing" : present); needed is one of "
                + Form.allCases.map(\.rawValue).joined(separator: " · "))
    }

    private static func check(_ value: JSONValue, _ name: String, _ form: Form) throws(Fault) {
        if form == .openAIPreference, name == "input" {
            guard let messages = value["messages"] else {
                throw Fault(clause: "\"input\" must be an object with \"messages\"")
            }
            return try checkMessages(messages, "input.messages")
        }
        if value.text != nil {
            guard form != .messages, form != .openAIPreference else {
                throw Fault(clause: "\"\(name)\" must be a list of messages, not a string")
            }
            return
        }
        guard form != .text, value.elements != nil else {
            throw Fault(
                clause: "\"\(name)\" must be a text\(form == .text ? "" : " or a list of messages"), not \(value.kind)")
        }
        try checkMessages(value, name)
    }

    private static func checkMessages(_ value: JSONValue, _ name: String) throws(Fault) {
        guard let messages = value.elements, !messages.isEmpty else {
            throw Fault(clause: "\"\(name)\" must be a list of messages that is not empty")
        }
        for (index, message) in messages.enumerated() {
            guard message["role"]?.text != nil else {
                throw Fault(clause: "\"\(name)[\(index)]\" must be an object with a \"role\"")
            }
            switch message["content"] {
            case .string, .null, nil: continue
            case .array(let parts):
                for part in parts where part["type"]?.text != "text" || part["text"]?.text == nil {
                    throw Fault(
                        clause:
                            "\"\(name)[\(index)].content\" has a part that is no text; pictures and sounds are not read"
                    )
                }
            case .some(let other):
                throw Fault(clause: "\"\(name)[\(index)].content\" must be a text, not \(other.kind)")
            }
        }
    }
}

import JSON
import Jinja

extension JinjaValue {
    /// What a client wrote: nothing of it is trusted, names of members neither.
    init(_ json: JSON.JSONValue) {
        self =
            switch json {
            case .null: .none
            case .bool(let flag): .bool(flag)
            case .number(let number): JinjaValue(number)
            case .string(let text): .text(TrustedText(text, isTrusted: false))
            case .array(let elements): .list(elements.map(JinjaValue.init))
            case .object(let object): .object(JinjaObject(object))
            }
    }

    /// A number as Python's json reads it: whole where it is written without a point and an exponent.
    private init(_ number: JSONNumber) {
        if let integer = Int(number.text) {
            self = .integer(integer)
        } else if number.text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2D }) {
            self = .whole(number.text)
        } else {
            self = .float(number.double)
        }
    }
}

extension JinjaObject {
    fileprivate init(_ object: JSONObject) {
        self.init()
        for (name, value) in object.members { set(TrustedText(name, isTrusted: false), JinjaValue(value)) }
    }

    mutating func set(own name: String, _ value: JinjaValue) { set(TrustedText(name, isTrusted: true), value) }
}

extension ChatMessage {
    /// The turn with one of its calls, or with none.
    fileprivate func calling(_ call: JSON.JSONValue?) -> ChatMessage {
        let calls = call.map { [("tool_calls", JSON.JSONValue.array([$0]))] } ?? []
        return ChatMessage(
            role: role, content: content, members: JSONObject(members.without(["tool_calls"]).members + calls))
    }

    /// The turn with its calls alone.
    fileprivate func saying(nothing thoughts: [String]) -> ChatMessage {
        ChatMessage(role: role, content: nil, members: members.without(thoughts + ["content"]))
    }
}

extension JSONObject {
    fileprivate func without(_ names: [String]) -> JSONObject { JSONObject(members.filter { !names.contains($0.key) }) }
}

extension JSON.JSONValue {
    /// Whether a variable that a template does not read changes nothing by that: it is off, or asks for none.
    var asksForNothing: Bool { isEmpty || text == "none" }

    /// An object with another value of a member, in its place.
    func replacing(_ name: String, with value: JSON.JSONValue) -> JSON.JSONValue {
        guard case .object(let object) = self else { return self }
        return .object(JSONObject(object.members.map { ($0.key, $0.key == name ? value : $0.value) }))
    }
}

/// How the messages of a conversation are written as a template's values.
struct MessageForm {
    /// Whether a template takes lists of parts, by role; where not, the texts become one.
    var takesParts: (String) -> Bool
    /// Whether it takes nothing else, by role.
    var needsParts: (String) -> Bool
    var calls = CallForm()
    /// What the role of a developer is called.
    var developer = "developer"

    /// The roles of OpenAI's API. They are words of a fixed list and not a client's text, so that a template which
    /// writes `'<|' + message.role + '|>'` gives control tokens for them, and for no other role.
    private static let roles: Set<String> = ["system", "developer", "user", "assistant", "tool", "function"]

    /// The names of what an assistant thought. transformers gives it under the first two of them to every template.
    private static let reasoning = ["reasoning_content", "thinking", "reasoning"]

    /// - Throws: `TokenizerError.invalidRequest` for arguments of a call that are no JSON object.
    func values(_ messages: [ChatMessage]) throws(TokenizerError) -> [JinjaValue] {
        var values: [JinjaValue] = []
        for (index, message) in turns(messages) { values.append(try value(message, place: "messages[\(index)]")) }
        return values
    }

    /// The turns that a template takes, each with the place of the message that it comes from.
    private func turns(_ messages: [ChatMessage]) -> [(place: Int, message: ChatMessage)] {
        var turns: [(place: Int, message: ChatMessage)] = []
        var index = 0
        while index < messages.count {
            var message = messages[index]
            let place = index
            index += 1
            if calls.splitsText, !message.calls.isEmpty, !message.text.isEmpty {
                turns.append((place, message.calling(nil)))
                message = message.saying(nothing: Self.reasoning)
            }
            guard !calls.takesParallel, message.calls.count > 1 else {
                turns.append((place, message))
                continue
            }
            // One call after the other, each with its answer.
            var answers = Array(messages[index...].prefix { $0.role == "tool" }.enumerated())
            let first = index
            index += answers.count
            for (number, call) in message.calls.enumerated() {
                let turn = number == 0 ? message : message.saying(nothing: Self.reasoning)
                turns.append((place, turn.calling(call)))
                let isLast = number == message.calls.count - 1
                let own = answers.filter { isLast || $0.element.members["tool_call_id"]?.text == call["id"]?.text }
                answers.removeAll { answer in own.contains { $0.offset == answer.offset } }
                turns += own.map { (first + $0.offset, $0.element) }
            }
        }
        return turns
    }

    /// A message as transformers hands it to templates: what is null is left out.
    private func value(_ message: ChatMessage, place: String) throws(TokenizerError) -> JinjaValue {
        var object = JinjaObject()
        let thought = Self.reasoning.lazy.compactMap { message.members[$0] }.first { !$0.isNull }.map(JinjaValue.init)
        if let thought { object.set(own: "thinking", thought) }
        let role = message.role == "developer" ? developer : message.role
        object.set(own: "role", .text(TrustedText(role, isTrusted: Self.roles.contains(role))))
        if let content = content(of: message, role) { object.set(own: "content", content) }
        for (name, value) in message.members.members where !value.isNull {
            var value = value
            switch name {
            case "role", "content": continue
            case "tool_calls": value = try calls.written(value, place: "\(place).tool_calls")
            case "tool_call_id": value = calls.writtenID(value)
            default: break
            }
            object.set(TrustedText(name, isTrusted: false), JinjaValue(value))
        }
        if let thought { object.set(own: "reasoning_content", thought) }
        return .object(object)
    }

    private func content(of message: ChatMessage, _ role: String) -> JinjaValue? {
        let saysNothing = message.content == nil || (message.texts == [""] && !message.calls.isEmpty)
        if saysNothing {
            switch calls.absence(given: message.content == nil ? .missing : .empty) {
            case .missing: return nil
            case .null: return JinjaValue.none
            case .empty: return .text(TrustedText())
            }
        }
        if case .parts(let parts) = message.content, takesParts(role) { return .list(parts.map(JinjaValue.init)) }
        let text = JinjaValue.text(TrustedText(message.text, isTrusted: false))
        guard needsParts(role) else { return text }
        var part = JinjaObject()
        part.set(own: "type", .text(TrustedText("text", isTrusted: true)))
        part.set(own: "text", text)
        return .list([.object(part)])
    }
}

/// How a template takes the calls of an assistant's turn.
struct CallForm: Sendable {
    /// What stands for a turn's text where there is none.
    enum Absence: CaseIterable { case missing, null, empty }

    /// Whether arguments are objects, as for transformers and vLLM; else JSON as text, as OpenAI's API has them.
    var takesObjects = true
    /// Whether ids must have nine letters and digits, as Mistral's templates want.
    var shortensIDs = false
    /// The ways to write a turn without text in which its calls are written, the best one first.
    var absences = Absence.allCases
    /// Whether calls are also written where a turn says something beside them.
    var takesText = true
    /// Whether, where they are not, a turn that says something and one that calls are both written.
    var splitsText = false
    /// Whether a turn may make several calls; else they are made one after the other, each followed by its answer.
    var takesParallel = true

    func absence(given: Absence) -> Absence { absences.contains(given) ? given : absences.first ?? given }

    /// - Throws: `TokenizerError.invalidRequest` for arguments that are no JSON object.
    func written(_ calls: JSON.JSONValue, place: String) throws(TokenizerError) -> JSON.JSONValue {
        var written: [JSON.JSONValue] = []
        for (index, call) in (calls.elements ?? []).enumerated() {
            var call = call
            if let id = call["id"] { call = call.replacing("id", with: writtenID(id)) }
            if let function = call["function"], let arguments = function["arguments"] {
                let field = "\(place)[\(index)].function.arguments"
                call = call.replacing(
                    "function", with: function.replacing("arguments", with: try self.arguments(arguments, field)))
            }
            written.append(call)
        }
        return .array(written)
    }

    private func arguments(_ given: JSON.JSONValue, _ field: String) throws(TokenizerError) -> JSON.JSONValue {
        let value: JSON.JSONValue
        if let text = given.text {
            if !takesObjects { return given }
            do { value = try JSON.JSONParser.parse(Array((text.isEmpty ? "{}" : text).utf8)) } catch {
                throw TokenizerError(.invalidRequest, "'\(field)' is no JSON: \(error.problem)", field: field)
            }
        } else {
            value = given
        }
        guard case .object = value else {
            throw TokenizerError(.invalidRequest, "'\(field)' must be a JSON object, not \(value.kind)", field: field)
        }
        return takesObjects ? value : .string(String(decoding: value.bytes, as: UTF8.self))
    }

    func writtenID(_ id: JSON.JSONValue) -> JSON.JSONValue {
        guard shortensIDs, let text = id.text else { return id }
        let isShort = text.utf8.count == 9 && text.utf8.allSatisfy(Self.alphabet.contains)
        return isShort ? id : .string(Self.shortened(text))
    }

    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Nine letters and digits that stand for a text: FNV-1a of 64 bits, to the base 62.
    private static func shortened(_ text: String) -> String {
        var hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        var letters: [UInt8] = []
        for _ in 0..<9 {
            letters.append(alphabet[Int(hash % 62)])
            hash /= 62
        }
        return String(decoding: letters, as: UTF8.self)
    }
}

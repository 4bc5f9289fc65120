import ContentFilter
import JSON

/// Everything of a conversation that a model reads is filtered: texts, calls and their arguments, what tools gave back,
/// thoughts, and what the chat template is given beside the messages.
extension RequestScope {
    /// - Parameter field: what the client gave it in.
    /// - Throws: `APIError` for what is blocked.
    func filtered(
        _ message: ChatCompletionRequest.Message, _ direction: FilterPolicy.Direction, from field: String
    ) async throws -> ChatCompletionRequest.Message {
        var message = message
        if message.parts.count > 1 {
            // A template writes parts one after the other, or in lines: neither may make of them what is blocked.
            for whole in [message.parts.joined(), message.content] {
                let passed = try await filtered(whole, direction, from: field)
                if passed != whole, message.parts.count > 1 { message.content = passed }
            }
        } else if !message.parts.isEmpty {
            message.content = try await filtered(message.content, direction, from: field)
        }
        guard filter != nil else { return message }
        if let reasoning = message.reasoning {
            message.reasoning = try await filtered(reasoning, direction, from: field)
        }
        if let name = message.name { message.name = try await filtered(name, direction, from: field) }
        for index in message.toolCalls.indices {
            let function = message.toolCalls[index].function
            let arguments = try JSONParser.parse(Array(function.arguments.utf8))
            if let passed = try await changed(arguments, direction, from: field) {
                message.toolCalls[index].function.arguments = String(decoding: passed.bytes, as: UTF8.self)
            }
            message.toolCalls[index].function.name = try await filtered(function.name, direction, from: field)
        }
        return message
    }

    /// - Throws: `APIError` for what is blocked.
    func filtered(
        _ template: TemplateOptions, _ direction: FilterPolicy.Direction
    ) async throws -> TemplateOptions {
        guard filter != nil else { return template }
        var template = template
        for index in template.tools.indices {
            if let passed = try await changed(template.tools[index], direction, from: "tools") {
                template.tools[index] = passed
            }
        }
        for index in template.documents.indices {
            if let passed = try await changed(template.documents[index], direction, from: "documents") {
                template.documents[index] = passed
            }
        }
        if case .object(let passed) = try await changed(
            .object(template.variables), direction, from: "chat_template_kwargs")
        {
            template.variables = passed
        }
        return template
    }

    /// The value without what is redacted in its texts and the names of its members; nil where nothing is.
    private func changed(
        _ value: JSONValue, _ direction: FilterPolicy.Direction, from field: String
    ) async throws -> JSONValue? {
        switch value {
        case .null, .bool, .number: return nil
        case .string(let text):
            let passed = try await filtered(text, direction, from: field)
            return passed == text ? nil : .string(passed)
        case .array(var elements):
            var isChanged = false
            for index in elements.indices {
                guard let passed = try await changed(elements[index], direction, from: field) else { continue }
                (elements[index], isChanged) = (passed, true)
            }
            return isChanged ? .array(elements) : nil
        case .object(let object):
            var members = object.members
            var isChanged = false
            for index in members.indices {
                let name = try await filtered(members[index].key, direction, from: field)
                if name != members[index].key { (members[index].key, isChanged) = (name, true) }
                guard let passed = try await changed(members[index].value, direction, from: field) else { continue }
                (members[index].value, isChanged) = (passed, true)
            }
            return isChanged ? .object(JSONObject(members)) : nil
        }
    }
}

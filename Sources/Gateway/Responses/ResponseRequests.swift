import JSON
import Messages

/// `POST /v1/responses`: text in, text out. Nothing is kept, so that each request brings its whole conversation.
struct ResponseRequest: Decodable, Sendable {
    var conversation: ChatCompletionRequest
    var instructions: String?
    /// Given back as it came.
    var metadata: [String: String]?

    private static let metadataLimit = 16

    private enum Key: String, CodingKey { case input, instructions, max_output_tokens, metadata, text }

    /// - Throws: `APIError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let form = try container.decodeIfPresent(TextForm.self, forKey: .text)
        guard ["low", "medium", "high"].contains(form?.verbosity ?? "medium") else {
            throw APIError.invalidRequest("'text.verbosity' is low, medium or high.", parameter: "text.verbosity")
        }
        var parameters = try GenerationParameters(from: decoder)
        parameters.grammar = try AnswerForm(from: decoder).grammar
        if let format = form?.format, !format.isNull,
            let schema = try AnswerForm.schema(ofFormat: format, field: "text.format")
        {
            parameters.grammar = Wire.Grammar(jsonSchema: schema, field: "text.format")
        }
        parameters.max_tokens = try container.decodeIfPresent(Int.self, forKey: .max_output_tokens)
        parameters.maxTokensName = "max_output_tokens"
        if let count = parameters.max_tokens, count < 1 {
            throw APIError.invalidRequest(
                "max_output_tokens is \(count); it must be at least 1.", parameter: "max_output_tokens")
        }
        instructions = try container.decodeIfPresent(String.self, forKey: .instructions)
        metadata = try container.decodeIfPresent([String: String].self, forKey: .metadata)
        guard metadata?.count ?? 0 <= Self.metadataLimit,
            metadata?.allSatisfy({ $0.utf8.count <= 64 && $1.utf8.count <= 512 }) ?? true
        else {
            throw APIError.invalidRequest(
                "'metadata' takes \(Self.metadataLimit) names of 64 bytes and values of 512 at most.",
                parameter: "metadata")
        }
        let messages = try container.decode(ResponseInput.self, forKey: .input).messages
        guard !messages.isEmpty else {
            throw APIError.invalidRequest("'input' holds no message.", parameter: "input")
        }
        let opening = instructions.map { [ChatCompletionRequest.Message(role: "system", content: $0)] } ?? []
        conversation = ChatCompletionRequest(messages: opening + messages, parameters: parameters)
    }

    private struct TextForm: Decodable {
        var format: JSONValue?
        /// How long answers should be, which is the model's own affair.
        var verbosity: String?
    }
}

/// A text, or a list of messages.
struct ResponseInput: Decodable, Sendable {
    private struct Item: Decodable {
        var message: ChatCompletionRequest.Message

        private enum Key: String, CodingKey { case type }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            let type = try container.decodeIfPresent(String.self, forKey: .type) ?? "message"
            guard type == "message" else {
                throw JSONError(
                    .member(of: JSONPath(decoder.codingPath), "type"),
                    "is '\(type.prefix(40))'; only items of type 'message' are supported")
            }
            message = try ChatCompletionRequest.Message(from: decoder)
        }
    }

    var messages: [ChatCompletionRequest.Message]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            messages = [.init(role: "user", content: text)]
        } else {
            messages = try ChatCompletionRequest.Message.linked([Item](from: decoder).map(\.message), in: "input")
        }
    }
}

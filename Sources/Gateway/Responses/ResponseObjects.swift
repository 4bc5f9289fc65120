import JSON

/// OpenAI's response object, whole or on its way.
struct ResponseObject: Encodable, Sendable {
    enum Status: String, Encodable, Sendable { case queued, in_progress, completed, incomplete, failed, cancelled }

    struct Failure: Encodable, Sendable {
        var code = "server_error"
        var message: String
    }

    struct Incompleteness: Encodable, Sendable { var reason: String }

    struct Tokens: Encodable, Sendable {
        struct Input: Encodable, Sendable { var cached_tokens = 0 }
        struct Output: Encodable, Sendable { var reasoning_tokens = 0 }

        var input_tokens: Int
        var input_tokens_details = Input()
        var output_tokens: Int
        var output_tokens_details = Output()
        var total_tokens: Int

        init(_ usage: Usage) {
            (input_tokens, output_tokens) = (usage.prompt, usage.completion)
            input_tokens_details.cached_tokens = usage.cached
            output_tokens_details.reasoning_tokens = usage.reasoning
            total_tokens = usage.prompt + usage.completion
        }
    }

    var id: String
    var created_at: Int
    var model: String
    var status = Status.in_progress
    var error: Failure?
    var incomplete_details: Incompleteness?
    var output: [ResponseItem] = []
    var usage: Tokens?
    // What the request said.
    var instructions: String?
    var max_output_tokens: Int?
    var temperature: Float
    var top_p: Float
    var metadata: [String: String]
    var user: String?
    /// The request's, as they came; and whether several calls may come.
    var tools: [JSONValue] = []
    var toolChoice: JSONValue = .string("auto")
    var isParallel = true
    var textFormat: JSONValue?
    /// Whether it can be had again by its id, and whether it is made while nobody waits for it.
    var store = false
    var background = false
    var previousResponseID: String?
    var conversationID: String?

    private enum Key: String, CodingKey {
        case id, object, created_at, model, status, error, incomplete_details, output, usage, instructions
        case max_output_tokens, temperature, top_p, metadata, user, store, tools, tool_choice, parallel_tool_calls
        case previous_response_id, conversation, background, truncation, text
    }

    /// Clients expect all of these keys.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(id, forKey: .id)
        try container.encode("response", forKey: .object)
        try container.encode(created_at, forKey: .created_at)
        try container.encode(model, forKey: .model)
        try container.encode(status, forKey: .status)
        try container.encode(error, forKey: .error)
        try container.encode(incomplete_details, forKey: .incomplete_details)
        try container.encode(output, forKey: .output)
        try container.encode(usage, forKey: .usage)
        try container.encode(instructions, forKey: .instructions)
        try container.encode(max_output_tokens, forKey: .max_output_tokens)
        try container.encode(temperature, forKey: .temperature)
        try container.encode(top_p, forKey: .top_p)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(user, forKey: .user)
        try container.encode(store, forKey: .store)
        try container.encode(background, forKey: .background)
        try container.encode(tools, forKey: .tools)
        try container.encode(toolChoice, forKey: .tool_choice)
        try container.encode(isParallel, forKey: .parallel_tool_calls)
        try container.encode(previousResponseID, forKey: .previous_response_id)
        try container.encode(conversationID.map { ["id": $0] }, forKey: .conversation)
        try container.encode("disabled", forKey: .truncation)
        try container.encode(["format": textFormat ?? .object(JSONObject([("type", .string("text"))]))], forKey: .text)
    }

    /// The answer has ended.
    ///
    /// - Parameter reason: as the text-model or the filter says it.
    mutating func end(reason: String) {
        switch reason {
        case "length": incomplete_details = Incompleteness(reason: "max_output_tokens")
        case "content_filter": incomplete_details = Incompleteness(reason: "content_filter")
        default: break
        }
        status = incomplete_details == nil ? .completed : .incomplete
    }
}

/// One event of a streamed response.
struct ResponseEvent: Encodable {
    var type: String
    var sequence_number: Int
    var response: JSONValue?
    var item: ResponseItem?
    var item_id: String?
    var output_index: Int?
    var content_index: Int?
    var part: ResponseItem.Part?
    var delta: String?
    var text: String?
    var arguments: String?
    var name: String?
    var logprobs: [String]?

    init(_ type: String, _ number: Int) { (self.type, sequence_number) = (type, number) }
}

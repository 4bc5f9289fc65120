import Messages

struct Usage: Encodable {
    var prompt_tokens: Int
    var completion_tokens: Int
    var total_tokens: Int

    init(prompt: Int, completion: Int) {
        (prompt_tokens, completion_tokens, total_tokens) = (prompt, completion, prompt + completion)
    }
}

/// A chat completion, or a chunk of one.
struct ChatCompletion: Encodable {
    struct Text: Encodable {
        struct Picture: Encodable {
            struct Address: Encodable { var url: String }
            var type = "image_url"
            var image_url: Address
        }

        var role: String?
        var content: String?
        /// Pictures that a chat is answered with.
        var images: [Picture]?
    }

    struct Choice: Encodable {
        var index: Int
        var message: Text?
        var delta: Text?
        var logprobs: ChatLogprobs?
        var finish_reason: String?

        private enum Key: String, CodingKey { case index, message, delta, logprobs, finish_reason }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(index, forKey: .index)
            try container.encodeIfPresent(message, forKey: .message)
            try container.encodeIfPresent(delta, forKey: .delta)
            // Clients expect these keys in every chunk.
            try container.encode(logprobs, forKey: .logprobs)
            try container.encode(finish_reason, forKey: .finish_reason)
        }
    }

    var id: String
    var object: String
    var created: Int
    var model: String
    var system_fingerprint: String
    var choices: [Choice]
    var usage: Usage?
}

/// A plain completion, or a chunk of one.
struct TextCompletion: Encodable {
    struct Choice: Encodable {
        var index: Int
        var text: String
        var logprobs: CompletionLogprobs?
        var finish_reason: String?

        private enum Key: String, CodingKey { case index, text, finish_reason, logprobs }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(index, forKey: .index)
            try container.encode(text, forKey: .text)
            try container.encode(finish_reason, forKey: .finish_reason)
            try container.encode(logprobs, forKey: .logprobs)
        }
    }

    var id: String
    var object = "text_completion"
    var created: Int
    var model: String
    var system_fingerprint: String
    var choices: [Choice]
    var usage: Usage?
}

/// `GET /v1/models`.
struct ModelList: Encodable {
    struct Model: Encodable {
        var id: String
        var object = "model"
        var created: Int
        var owned_by = "nephele"
        /// The model that an adapter changes.
        var parent: String?
        var modality: String
        var revision: String
        var context_length: Int
    }

    var object = "list"
    var data: [Model]
}

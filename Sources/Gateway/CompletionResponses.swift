import Messages

struct Usage: JSONWritable {
    private let prompt: Int
    private let completion: Int

    init(prompt: Int, completion: Int) { (self.prompt, self.completion) = (prompt, completion) }

    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("prompt_tokens", prompt)
            $0.field("completion_tokens", completion)
            $0.field("total_tokens", prompt + completion)
        }
    }
}

/// A chat completion, or a chunk of one.
struct ChatCompletion: CountedChunk {
    struct Text: JSONWritable {
        struct Picture: JSONWritable {
            var url: String

            func write(to json: inout JSONWriter) {
                json.object {
                    $0.field("type", "image_url")
                    $0.field("image_url") { $0.object { $0.field("url", url) } }
                }
            }
        }

        var role: String?
        var content: String?
        /// Pictures that a chat is answered with.
        var images: [Picture]?

        func write(to json: inout JSONWriter) {
            json.object {
                $0.field("role", ifPresent: role)
                $0.field("content", ifPresent: content)
                $0.field("images", ifPresent: images)
            }
        }
    }

    struct Choice: JSONWritable {
        var index: Int
        var message: Text?
        var delta: Text?
        var logprobs: ChatLogprobs?
        var finish_reason: String?

        func write(to json: inout JSONWriter) {
            json.object {
                $0.field("index", index)
                $0.field("message", ifPresent: message)
                $0.field("delta", ifPresent: delta)
                // Clients expect these keys in every chunk.
                $0.field("logprobs", orNull: logprobs)
                $0.field("finish_reason", orNull: finish_reason)
            }
        }
    }

    var id: String
    var object: String
    var created: Int
    var model: String
    var system_fingerprint: String
    var choices: [Choice]
    var usage: Usage?

    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("id", id)
            $0.field("object", object)
            $0.field("created", created)
            $0.field("model", model)
            $0.field("system_fingerprint", system_fingerprint)
            $0.field("choices", choices)
            $0.field("usage", ifPresent: usage)
        }
    }
}

/// A plain completion, or a chunk of one.
struct TextCompletion: CountedChunk {
    struct Choice: JSONWritable {
        var index: Int
        var text: String
        var logprobs: CompletionLogprobs?
        var finish_reason: String?

        func write(to json: inout JSONWriter) {
            json.object {
                $0.field("index", index)
                $0.field("text", text)
                $0.field("logprobs", orNull: logprobs)
                $0.field("finish_reason", orNull: finish_reason)
            }
        }
    }

    var id: String
    var created: Int
    var model: String
    var system_fingerprint: String
    var choices: [Choice]
    var usage: Usage?

    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("id", id)
            $0.field("object", "text_completion")
            $0.field("created", created)
            $0.field("model", model)
            $0.field("system_fingerprint", system_fingerprint)
            $0.field("choices", choices)
            $0.field("usage", ifPresent: usage)
        }
    }
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

        init(_ model: ModelDescription) {
            (id, created, parent) = (model.name, 0, model.parent)
            (modality, revision, context_length) = (model.modality, model.revision, model.contextLength)
        }
    }

    var object = "list"
    var data: [Model]
}

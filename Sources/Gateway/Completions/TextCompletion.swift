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

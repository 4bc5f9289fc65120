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

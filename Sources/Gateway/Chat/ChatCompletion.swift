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

        /// A call of a tool, or more of one's arguments.
        struct Call: JSONWritable {
            /// In chunks only.
            var index: Int?
            var id: String?
            var name: String?
            var arguments: String

            func write(to json: inout JSONWriter) {
                json.object {
                    if let index { $0.field("index", index) }
                    $0.field("id", ifPresent: id)
                    if id != nil { $0.field("type", "function") }
                    $0.field("function") {
                        $0.object {
                            $0.field("name", ifPresent: name)
                            $0.field("arguments", arguments)
                        }
                    }
                }
            }
        }

        var role: String?
        var content: String?
        /// Whether no content is `null` rather than left out: in an answer that only calls tools.
        var showsNoContent = false
        /// What the model thought. vLLM and OpenRouter call it `reasoning`, DeepSeek `reasoning_content`.
        var reasoning: String?
        var calls: [Call]?
        /// Pictures that a chat is answered with.
        var images: [Picture]?

        func write(to json: inout JSONWriter) {
            json.object {
                $0.field("role", ifPresent: role)
                if showsNoContent {
                    $0.field("content", orNull: content)
                } else {
                    $0.field("content", ifPresent: content)
                }
                $0.field("reasoning_content", ifPresent: reasoning)
                $0.field("reasoning", ifPresent: reasoning)
                $0.field("tool_calls", ifPresent: calls)
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

extension ChatCompletion.Text {
    /// An assistant's message.
    init(_ choice: Generation.Choice) {
        let calls = choice.calls.map { Call(id: $0.id, name: $0.name, arguments: $0.arguments) }
        self.init(role: "assistant", content: choice.text.isEmpty && !calls.isEmpty ? nil : choice.text)
        showsNoContent = true
        reasoning = choice.reasoning.isEmpty ? nil : choice.reasoning
        self.calls = calls.isEmpty ? nil : calls
    }
}

/// The tokens of a request, in OpenAI's form.
struct Usage: JSONWritable {
    let prompt: Int
    /// Of the answers, and how many of these are thoughts.
    let completion: Int
    let reasoning: Int

    init(prompt: Int, completion: Int, reasoning: Int = 0) {
        (self.prompt, self.completion, self.reasoning) = (prompt, completion, reasoning)
    }

    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("prompt_tokens", prompt)
            $0.field("completion_tokens", completion)
            $0.field("total_tokens", prompt + completion)
            if reasoning > 0 {
                $0.field("completion_tokens_details") { $0.object { $0.field("reasoning_tokens", reasoning) } }
            }
        }
    }
}

/// The tokens of a request, in OpenAI's form.
struct Usage: JSONWritable {
    let prompt: Int
    /// Of the prompt's, those that were in the text-model's cache and were not computed.
    var cached = 0
    /// Of the answers, and how many of these are thoughts.
    private(set) var completion: Int
    private(set) var reasoning: Int

    init(prompt: Int, completion: Int = 0, reasoning: Int = 0) {
        (self.prompt, self.completion, self.reasoning) = (prompt, completion, reasoning)
    }

    /// Counts what a delta brought.
    mutating func count(_ delta: AnswerDelta) {
        cached += Int(delta.cachedTokens)
        completion += delta.tokens.count
        if delta.part == .reasoning { reasoning += delta.tokens.count }
    }

    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("prompt_tokens", prompt)
            $0.field("completion_tokens", completion)
            $0.field("total_tokens", prompt + completion)
            $0.field("prompt_tokens_details") { $0.object { $0.field("cached_tokens", cached) } }
            if reasoning > 0 {
                $0.field("completion_tokens_details") { $0.object { $0.field("reasoning_tokens", reasoning) } }
            }
        }
    }
}

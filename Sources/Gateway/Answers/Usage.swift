/// The tokens of a request, in OpenAI's form.
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

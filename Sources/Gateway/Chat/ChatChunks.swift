/// The chunks of a chat that is streamed.
struct ChatChunks: ChunkForm {
    func opening(_ generation: Generation, choice: Int) -> ChatCompletion? {
        chunk(generation, [.init(index: choice, delta: .init(role: "assistant", content: ""))])
    }

    func chunk(_ generation: Generation, _ delta: AnswerDelta) -> ChatCompletion {
        var text = ChatCompletion.Text()
        switch delta.part {
        case .content: text.content = delta.text.isEmpty ? nil : delta.text
        case .reasoning: text.reasoning = delta.text.isEmpty ? nil : delta.text
        case .call(let number):
            if delta.call != nil || !delta.text.isEmpty {
                text.calls = [
                    .init(index: number, id: delta.call?.id, name: delta.call?.name, arguments: delta.text)
                ]
            }
        }
        let reason = delta.finishReason.isEmpty ? nil : delta.finishReason
        let logprobs = delta.logprob.map { ChatLogprobs([$0]) }
        return chunk(
            generation, [.init(index: Int(delta.choice), delta: text, logprobs: logprobs, finish_reason: reason)])
    }

    func usage(_ generation: Generation, _ usage: Usage) -> ChatCompletion {
        var chunk = chunk(generation, [])
        chunk.usage = usage
        return chunk
    }

    private func chunk(_ generation: Generation, _ choices: [ChatCompletion.Choice]) -> ChatCompletion {
        ChatCompletion(
            id: generation.id, object: "chat.completion.chunk", created: generation.created, model: generation.model,
            system_fingerprint: generation.fingerprint, choices: choices)
    }
}

import Tensors

/// Makes of a pass's logits what each sequence has from them: log-probabilities of its prompt, tokens; or of its rows an
/// embedding. Sequences are read on all threads at once.
struct LogitsReader: Sendable {
    private let logits: Tensor  // [rows, V]
    private let hidden: Tensor  // [rows that are read, C], normed
    private let device: Device
    /// Ids that have a token.
    private let allowed: Int
    private let endTokens: Set<Int32>
    private let draftLimit: Int

    init(_ logits: Tensor, hidden: Tensor, _ loaded: LoadedModel, draftLimit: Int, on device: Device) {
        (self.logits, self.hidden) = (logits, hidden)
        self.device = device
        allowed = min(logits.width, loaded.tokenizer.vocabulary.count)
        endTokens = loaded.endTokens
        self.draftLimit = draftLimit
    }

    /// What the pass over a sequence's chunk brought.
    func advance(_ sequence: inout GeneratingSequence, _ chunk: RequestScheduler.Chunk) -> [GenerationDelta] {
        let isComplete = chunk.count == sequence.pending
        if sequence.parameters.isEmbedding { return embed(&sequence, chunk, isComplete: isComplete) }
        if sequence.wantsPromptLogProbabilities { readPrompt(&sequence, chunk) }
        sequence.computed += chunk.count
        guard isComplete else { return [] }
        guard sequence.parameters.maxTokens > 0 else {
            return [
                GenerationDelta(
                    request: sequence.request, choice: sequence.choice, index: -1, token: nil, text: "",
                    promptLogProbabilities: sequence.promptLogProbabilities, finishReason: .length)
            ]
        }
        return generate(&sequence, chunk)
    }

    private func embed(
        _ sequence: inout GeneratingSequence, _ chunk: RequestScheduler.Chunk, isComplete: Bool
    ) -> [GenerationDelta] {
        sequence.pool.add(hidden.rows(chunk.logits))
        sequence.computed += chunk.count
        guard isComplete else { return [] }
        var delta = GenerationDelta(
            request: sequence.request, choice: sequence.choice, index: -1, token: nil, text: "", finishReason: .stop)
        (delta.embedding, delta.reading) = (sequence.pool.vector, sequence.parameters.reading)
        return [delta]
    }

    private func readPrompt(_ sequence: inout GeneratingSequence, _ chunk: RequestScheduler.Chunk) {
        let prompt = sequence.parameters.prompt
        for offset in 0..<chunk.count where sequence.computed + offset + 1 < prompt.count {
            let id = prompt[sequence.computed + offset + 1]
            sequence.promptLogProbabilities.append(
                logProbability(of: id, chunk.logits.lowerBound + offset, sequence.parameters.logProbabilities ?? 0))
        }
    }

    /// Chooses a token from the row of the last known token; and from the row of each drafted one, as long as the token
    /// before it was chosen as drafted. So an answer has the tokens that it would have without drafts.
    private func generate(
        _ sequence: inout GeneratingSequence, _ chunk: RequestScheduler.Chunk
    ) -> [GenerationDelta] {
        var deltas: [GenerationDelta] = []
        for number in 0...chunk.drafts.count {
            let row = chunk.logits.upperBound - chunk.drafts.count - 1 + number
            guard let id = sequence.choose(logits.rows(row..<row + 1), allowed: allowed) else {
                deltas.append(sequence.end())
                break
            }
            let probability = sequence.parameters.logProbabilities.map { logProbability(of: id, row, $0) }
            deltas.append(sequence.accept(id, logProbability: probability, endTokens: endTokens))
            if number > 0 { sequence.computed += 1 }
            guard deltas.last?.finishReason == nil, number < chunk.drafts.count, chunk.drafts[number] == id else {
                break
            }
        }
        if !chunk.drafts.isEmpty { sequence.draftLength = min(deltas.count + 1, draftLimit) }
        sequence.drafted = min(sequence.drafted, sequence.computed)
        return deltas
    }

    private func logProbability(of id: Int32, _ row: Int, _ count: Int) -> TokenLogProbability {
        let row = logits.rows(row..<row + 1)
        let total = device.logSumExp(row)
        let values = row.floats
        var ranking = Ranking()
        let best = (0..<min(count, values.count)).map { ranking.id(at: $0, in: values) }
        return TokenLogProbability(
            id: id, logProbability: values[Int(id)] - total,
            alternatives: best.map { .init(id: $0, logProbability: values[Int($0)] - total) })
    }
}

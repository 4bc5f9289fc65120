/// One change of a row of logits before a token is chosen from it. A value: what it keeps it has from the tokens of
/// prompt and answer alone, so that an answer that is resumed elsewhere goes on with the same choices.
protocol LogitsProcessor: Sendable {
    /// Whether the likeliest token stays the likeliest, whatever the logits are.
    var keepsArgmax: Bool { get }

    /// Takes in a token of the answer, sampled or brought by a resume.
    mutating func advance(_ id: Int32)

    /// Changes the logits `[V]` of the next token.
    func apply(_ logits: inout [Float])
}

extension SamplingParameters {
    /// The processors that these parameters ask for, in the order in which they are applied.
    func logitsProcessors(prompt: [Int32]) -> [any LogitsProcessor] {
        var processors: [any LogitsProcessor] = []
        if !logitBias.isEmpty { processors.append(LogitBias(logitBias)) }
        if repetitionPenalty != 1 { processors.append(RepetitionPenalty(repetitionPenalty, prompt: prompt)) }
        if presencePenalty != 0 || frequencyPenalty != 0 {
            processors.append(OccurrencePenalty(presence: presencePenalty, frequency: frequencyPenalty))
        }
        if let greenList { processors.append(GreenListBias(greenList, prompt: prompt)) }
        return processors
    }
}

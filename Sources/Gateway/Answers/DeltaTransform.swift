/// A step on an answer's way from the text-model to its client. Steps follow each other as ``Generation`` lines them up.
protocol DeltaTransform: Sendable {
    /// Changes deltas in place. It may hold some of them back, and let earlier ones go with later ones.
    mutating func transform(_ deltas: inout [AnswerDelta])

    /// Whether nothing more passes of these choices, of all prompts counted through.
    func haveEnded(_ choices: Range<Int>) -> Bool
}

extension DeltaTransform {
    func haveEnded(_ choices: Range<Int>) -> Bool { false }
}

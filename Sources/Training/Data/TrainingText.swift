/// A text's tokens, and which of them the model is to learn.
package struct TrainingText: Sendable, Hashable {
    package var ids: [Int32]
    /// Tokens that an assistant said, or that complete a prompt: the model is to predict them. Ascending; the first token of a
    /// text is never among them, since nothing stands before it.
    package var answers: [Range<Int>]

    package init(ids: [Int32], answers: [Range<Int>]) { (self.ids, self.answers) = (ids, answers) }

    /// How many tokens are learned.
    package var answerCount: Int { answers.reduce(0) { $0 + $1.count } }

    /// The first `length` tokens.
    func cut(to length: Int) -> TrainingText {
        TrainingText(
            ids: Array(ids.prefix(length)),
            answers: answers.compactMap {
                $0.lowerBound < length ? $0.lowerBound..<min($0.upperBound, length) : nil
            })
    }
}

/// What a line of the data became.
package struct TrainingSample: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        /// To be said.
        case text(TrainingText)
        /// Two completions of one prompt, of which the first is preferred.
        case preference(chosen: TrainingText, rejected: TrainingText)
        /// A completion of which a user thought well or not.
        case judgement(TrainingText, isDesirable: Bool)
    }

    /// The line's number in the file, from 1.
    package var line: Int
    package var content: Content

    package init(line: Int, content: Content) { (self.line, self.content) = (line, content) }

    package var texts: [TrainingText] {
        switch content {
        case .text(let text): [text]
        case .preference(let chosen, let rejected): [chosen, rejected]
        case .judgement(let text, _): [text]
        }
    }

    /// All its texts changed alike.
    func mapped(_ change: (TrainingText) -> TrainingText) -> TrainingSample {
        let content: Content =
            switch content {
            case .text(let text): .text(change(text))
            case .preference(let chosen, let rejected):
                .preference(chosen: change(chosen), rejected: change(rejected))
            case .judgement(let text, let isDesirable): .judgement(change(text), isDesirable: isDesirable)
            }
        return TrainingSample(line: line, content: content)
    }
}

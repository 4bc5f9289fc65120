import ContentFilter
import Messages

/// One request's answers on their way through the filter: text comes out when no rule can match it any more, a choice that
/// is blocked ends with `content_filter`, and of what is redacted no log-probabilities are told.
struct FilteredDeltas: Sendable {
    private struct Choice: Sendable {
        var stream: StreamFilter
        /// What came, without its text, and the bytes of the choice's text up to it.
        var held: [(delta: GenerateDelta, range: Range<Int>)] = []
        var length = 0
        var redactions: [Range<Int>] = []
        var hasEnded = false
    }

    private var choices: [Choice]

    /// - Parameter choices: of all prompts.
    init(_ filter: ContentFilter, choices: Int) {
        let stream = filter.stream(.out)
        self.choices = [Choice](repeating: Choice(stream: stream), count: choices)
    }

    /// Whether all these choices have ended, by themselves or by the filter.
    func haveEnded(_ range: Range<Int>) -> Bool { choices[range].allSatisfy(\.hasEnded) }

    /// - Returns: what may be passed on now.
    mutating func take(_ delta: GenerateDelta) -> [GenerateDelta] {
        let index = Int(delta.choice)
        guard choices.indices.contains(index), !choices[index].hasEnded else { return [] }
        var choice = choices[index]
        defer { choices[index] = choice }
        let start = choice.length
        choice.length += delta.text.utf8.count
        var held = delta
        held.text = ""
        held.finishReason = ""
        choice.held.append((held, start..<choice.length))
        var text = choice.stream.feed(delta.text)
        if !delta.finishReason.isEmpty { text += choice.stream.finish() }
        choice.redactions += choice.stream.takeRedactions()
        let isBlocked = choice.stream.verdict.isBlocked
        choice.hasEnded = isBlocked || !delta.finishReason.isEmpty
        var out = release(&choice)
        if !text.isEmpty {
            if out.isEmpty { out.append(GenerateDelta(choice: delta.choice, index: nil, token: nil, text: "")) }
            out[0].text = text
        }
        if choice.hasEnded {
            if out.isEmpty { out.append(GenerateDelta(choice: delta.choice, index: nil, token: nil, text: "")) }
            out[out.count - 1].finishReason = isBlocked ? "content_filter" : delta.finishReason
        }
        return out
    }

    /// Takes out what belongs to text that has been passed on; at the end of a choice, all of it.
    private func release(_ choice: inout Choice) -> [GenerateDelta] {
        let passed = choice.stream.released
        var count = 0
        var out: [GenerateDelta] = []
        while count < choice.held.count, choice.hasEnded || choice.held[count].range.upperBound <= passed {
            var (delta, range) = choice.held[count]
            if range.upperBound > passed || choice.redactions.contains(where: { $0.overlaps(range) }) {
                delta.logprob = nil
            }
            out.append(delta)
            count += 1
        }
        choice.held.removeFirst(count)
        let first = choice.held.first?.range.lowerBound ?? choice.length
        choice.redactions.removeAll { $0.upperBound <= first }
        return out
    }
}

import ContentFilter
import Messages

/// Passes one request's answers through the filter: text comes out when no rule can match it any more, a choice that is
/// blocked ends with `content_filter`, and redacted text has no log-probabilities.
struct FilterTransform: DeltaTransform {
    fileprivate struct Choice: Sendable {
        var stream: StreamFilter
        /// What came, without its text, and the bytes of the choice's text up to it.
        var held: [(delta: Wire.GenerateDelta, range: Range<Int>)] = []
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

    mutating func transform(_ deltas: inout [Wire.GenerateDelta]) {
        var passed: [Wire.GenerateDelta] = []
        for delta in deltas {
            let index = Int(delta.choice)
            guard choices.indices.contains(index), !choices[index].hasEnded else { continue }
            let taken = choices[index].take(delta)
            // Most often there is one delta, and its list need not be copied.
            if passed.isEmpty { passed = taken } else { passed += taken }
        }
        deltas = passed
    }
}

extension FilterTransform.Choice {
    mutating func take(_ delta: Wire.GenerateDelta) -> [Wire.GenerateDelta] {
        let start = length
        length += delta.text.utf8.count
        var bare = delta
        (bare.text, bare.finishReason) = ("", "")
        held.append((bare, start..<length))
        let text = stream.feed(delta.text, isLast: !delta.finishReason.isEmpty)
        redactions += stream.takeRedactions()
        let isBlocked = stream.verdict.isBlocked
        hasEnded = isBlocked || !delta.finishReason.isEmpty
        var out = release()
        if !text.isEmpty {
            if out.isEmpty { out.append(Wire.GenerateDelta(choice: delta.choice, text: "")) }
            out[0].text = text
        }
        if hasEnded {
            if out.isEmpty { out.append(Wire.GenerateDelta(choice: delta.choice, text: "")) }
            out[out.count - 1].finishReason = isBlocked ? "content_filter" : delta.finishReason
        }
        return out
    }

    /// Takes out what belongs to text that has been passed on; at the end of a choice, all of it.
    private mutating func release() -> [Wire.GenerateDelta] {
        let passed = stream.released
        var count = 0
        var out: [Wire.GenerateDelta] = []
        while count < held.count, hasEnded || held[count].range.upperBound <= passed {
            var (delta, range) = held[count]
            if range.upperBound > passed || redactions.contains(where: { $0.overlaps(range) }) {
                delta.logprob = nil
            }
            out.append(delta)
            count += 1
        }
        held.removeFirst(count)
        let first = held.first?.range.lowerBound ?? length
        redactions.removeAll { $0.upperBound <= first }
        return out
    }
}

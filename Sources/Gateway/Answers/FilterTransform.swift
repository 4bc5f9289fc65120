import ContentFilter

/// Passes one request's answers through the filter: text comes out when no rule can match it any more, a choice that is
/// blocked ends with `content_filter`, and redacted text has no log-probabilities.
struct FilterTransform: DeltaTransform {
    fileprivate struct Choice: Sendable {
        /// Of a part: each is filtered by itself.
        let fresh: StreamFilter
        var stream: StreamFilter
        var part = AnswerDelta.Part.content
        /// What came, without its text, and the bytes of the part's text up to it.
        var held: [(delta: AnswerDelta, range: Range<Int>)] = []
        var length = 0
        var redactions: [Range<Int>] = []
        var hasEnded = false

        init(_ stream: StreamFilter) { (fresh, self.stream) = (stream, stream) }
    }

    private var choices: [Choice]

    /// - Parameter choices: of all prompts.
    init(_ filter: ContentFilter, choices: Int) {
        let stream = filter.stream(.out)
        self.choices = [Choice](repeating: Choice(stream), count: choices)
    }

    /// Whether all these choices have ended, by themselves or by the filter.
    func haveEnded(_ range: Range<Int>) -> Bool { choices[range].allSatisfy(\.hasEnded) }

    mutating func transform(_ deltas: inout [AnswerDelta]) {
        var passed: [AnswerDelta] = []
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
    mutating func take(_ delta: AnswerDelta) -> [AnswerDelta] {
        var out: [AnswerDelta] = []
        if delta.part != part {
            out = end(delta)
            if hasEnded { return out }
            part = delta.part
        }
        let start = length
        length += delta.text.utf8.count
        var bare = delta
        (bare.text, bare.finishReason) = ("", "")
        // A call begins before anything of its arguments is passed.
        if let call = delta.call {
            out.append(delta.bare("", part: part, call: call))
            bare.call = nil
        }
        held.append((bare, start..<length))
        return out + pass(stream.feed(delta.text, isLast: !delta.finishReason.isEmpty), delta, delta.finishReason)
    }

    /// Ends a part: nothing of what comes can belong to what its text might begin.
    private mutating func end(_ next: AnswerDelta) -> [AnswerDelta] {
        let out = pass(stream.feed("", isLast: true), next, "", isWhole: true)
        (stream, length, redactions) = (fresh, 0, [])
        return out
    }

    /// Passes on what the filter has let through.
    ///
    /// - Parameter isWhole: whether the part has ended, so that nothing of it is held back.
    private mutating func pass(
        _ text: String, _ delta: AnswerDelta, _ reason: String, isWhole: Bool = false
    ) -> [AnswerDelta] {
        redactions += stream.takeRedactions()
        let isBlocked = stream.verdict.isBlocked
        hasEnded = isBlocked || !reason.isEmpty
        var out = release(all: hasEnded || isWhole)
        if !text.isEmpty {
            if out.isEmpty { out.append(delta.bare("", part: part)) }
            out[0].text = text
        }
        if hasEnded {
            if out.isEmpty { out.append(delta.bare("", part: part)) }
            out[out.count - 1].finishReason = isBlocked ? "content_filter" : reason
        }
        return out
    }

    /// Takes out what belongs to text that has been passed on, or all of it.
    private mutating func release(all: Bool) -> [AnswerDelta] {
        let passed = stream.released
        var count = 0
        var out: [AnswerDelta] = []
        while count < held.count, all || held[count].range.upperBound <= passed {
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

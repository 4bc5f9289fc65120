import Messages
import RPC

/// The deltas of one request's answers, as its client gets them: the text-models', after every transformation.
struct AnswerDeltas: Sendable {
    private let choicesOfEach: Int
    private var parts: [Generation.Part]
    private var current = 0
    private let record: RequestRecord
    private var transforms: [any DeltaTransform]
    /// What the transformations let pass, the last first.
    private var passed: [AnswerDelta] = []

    /// - Parameter transforms: in the order in which deltas go through them.
    init(
        choicesOfEach: Int, parts: [Generation.Part], record: RequestRecord, _ transforms: [any DeltaTransform] = []
    ) {
        (self.choicesOfEach, self.parts, self.record, self.transforms) = (choicesOfEach, parts, record, transforms)
    }

    /// - Returns: nil after the last one.
    /// - Throws: `RPCError`.
    mutating func next() async throws -> AnswerDelta? {
        while passed.isEmpty {
            guard let received = try await nextOfModel() else { return nil }
            if transforms.isEmpty { return recorded(AnswerDelta(received)) }
            passed = transformed(received)
            if passed.count > 1 { passed.reverse() }
        }
        return passed.popLast().map(recorded)
    }

    /// One step of an answer: what the text-model said, and what its client sees of it.
    ///
    /// - Returns: nil after the last one.
    /// - Throws: `RPCError`.
    mutating func nextStep() async throws -> (received: Wire.GenerateDelta, shown: [AnswerDelta])? {
        guard let received = try await nextOfModel() else { return nil }
        return (received, transformed(received).map(recorded))
    }

    private mutating func transformed(_ received: Wire.GenerateDelta) -> [AnswerDelta] {
        var shown = [AnswerDelta(received)]
        for index in transforms.indices { transforms[index].transform(&shown) }
        if shown.contains(where: { !$0.finishReason.isEmpty }) { giveUpIfEnded() }
        return shown
    }

    /// When all of a prompt's choices are blocked, the rest of them is not needed.
    private mutating func giveUpIfEnded() {
        let choices = current * choicesOfEach..<(current + 1) * choicesOfEach
        if current < parts.count, transforms.contains(where: { $0.haveEnded(choices) }) {
            parts[current].call.giveUp()
        }
    }

    private func recorded(_ delta: AnswerDelta) -> AnswerDelta {
        if !delta.finishReason.isEmpty { record.finished(delta.finishReason) }
        return delta
    }

    private mutating func nextOfModel() async throws -> Wire.GenerateDelta? {
        while current < parts.count {
            var delta = parts[current].first
            parts[current].first = nil
            if delta == nil { delta = try await parts[current].call.next() }
            if var delta {
                delta.choice += UInt32(current * choicesOfEach)
                if !delta.tokens.isEmpty { record.tokens(delta.tokens.count) }
                return delta
            }
            current += 1
        }
        return nil
    }
}

import ContentFilter
import Messages
import RPC

/// One request's generations under way, one stream a prompt: their deltas as they come, and what is known of them as
/// a whole.
struct Generation: Sendable {
    /// One choice as a whole.
    struct Choice: Sendable {
        var text = ""
        var logprobs: [Wire.TokenLogprob] = []
        /// Of the prompt's tokens from the second on, where asked for.
        var promptLogprobs: [Wire.TokenLogprob] = []
        var finishReason: String?
    }

    let id: String
    let created: Int
    let model: String
    /// Changes when the arithmetic behind the model does.
    let fingerprint: String
    let choicesOfEach: Int
    /// One for each prompt.
    let parts: [Part]
    let record: RequestRecord
    var filter: ContentFilter?
    /// Words around each answer that say that it is generated; nil for none.
    var notice: AnswerNotice?

    /// One prompt's call, and the first delta that came of it.
    struct Part: Sendable {
        var call: ResumableGeneration
        var first: Wire.GenerateDelta?
    }

    var prompts: [[Int32]] { parts.map { $0.call.request.prompt } }
    var choices: Int { parts.count * choicesOfEach }
    var promptTokens: Int { parts.reduce(0) { $0 + $1.call.request.prompt.count } }

    /// The deltas of all prompts, choices counted through: those of the second prompt follow those of the first.
    func deltas() -> Deltas {
        record.began(id, promptTokens: promptTokens)
        let filtered = filter.flatMap { $0.filters(.out) ? FilteredDeltas($0, choices: choices) : nil }
        return Deltas(choicesOfEach: choicesOfEach, parts: parts, record: record, filtered: filtered, notice: notice)
    }

    struct Deltas: Sendable {
        let choicesOfEach: Int
        fileprivate var parts: [Part]
        private var current = 0
        private let record: RequestRecord
        private var filtered: FilteredDeltas?
        /// What the filter let pass, the last first.
        private var passed: [Wire.GenerateDelta] = []
        private let notice: AnswerNotice?
        /// Choices that have said something.
        private var begun: Set<UInt32> = []

        fileprivate init(
            choicesOfEach: Int, parts: [Part], record: RequestRecord, filtered: FilteredDeltas?, notice: AnswerNotice?
        ) {
            (self.choicesOfEach, self.parts, self.record, self.filtered) = (choicesOfEach, parts, record, filtered)
            self.notice = notice
        }

        /// - Throws: `RPCError`.
        mutating func next() async throws -> Wire.GenerateDelta? {
            while passed.isEmpty {
                guard let delta = try await nextUnfiltered() else { return nil }
                guard filtered != nil else { return kept(delta) }
                passed = filtered?.take(delta).reversed() ?? []
                // With all of a prompt's choices blocked nobody needs the rest of them.
                let choices = current * choicesOfEach..<(current + 1) * choicesOfEach
                if current < parts.count, filtered?.haveEnded(choices) == true { parts[current].call.giveUp() }
            }
            return passed.popLast().map { kept($0) }
        }

        private mutating func kept(_ delta: Wire.GenerateDelta) -> Wire.GenerateDelta {
            record.keep(answer: delta.text, choice: delta.choice)
            if !delta.finishReason.isEmpty { record.finished(delta.finishReason) }
            return noticed(delta)
        }

        /// With the notice before the first text of a choice, or behind the last; an answer without text has none.
        private mutating func noticed(_ delta: Wire.GenerateDelta) -> Wire.GenerateDelta {
            guard let notice else { return delta }
            var delta = delta
            if !delta.text.isEmpty, begun.insert(delta.choice).inserted { delta.text = notice.opening + delta.text }
            if !delta.finishReason.isEmpty, begun.contains(delta.choice) { delta.text += notice.closing }
            return delta
        }

        private mutating func nextUnfiltered() async throws -> Wire.GenerateDelta? {
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

    /// All deltas at once, joined by choice.
    ///
    /// - Throws: `APIError`.
    func collect() async throws -> (choices: [Choice], tokens: Int) {
        var joined = [Choice](repeating: Choice(), count: choices)
        var tokens = 0
        var deltas = deltas()
        do {
            while let delta = try await deltas.next() {
                let choice = Int(delta.choice)
                joined[choice].text += delta.text
                tokens += delta.tokens.count
                if let logprob = delta.logprob { joined[choice].logprobs.append(logprob) }
                if !delta.promptLogprobs.isEmpty { joined[choice].promptLogprobs = delta.promptLogprobs }
                if !delta.finishReason.isEmpty { joined[choice].finishReason = delta.finishReason }
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return (joined, tokens)
    }
}

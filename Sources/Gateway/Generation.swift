import Messages
import RPC

/// One request's generations under way, one stream a prompt: their deltas as they come, and what is known of them as
/// a whole.
struct Generation: Sendable {
    /// One choice as a whole.
    struct Choice: Sendable {
        var text = ""
        var logprobs: [TokenLogprob] = []
        /// Of the prompt's tokens from the second on, where asked for.
        var promptLogprobs: [TokenLogprob] = []
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

    /// One prompt's call, and the first delta that came of it.
    struct Part: Sendable {
        var call: ResumableGeneration
        var first: GenerateDelta?
    }

    var prompts: [[Int32]] { parts.map { $0.call.request.prompt } }
    var choices: Int { parts.count * choicesOfEach }
    var promptTokens: Int { parts.reduce(0) { $0 + $1.call.request.prompt.count } }

    /// The deltas of all prompts, choices counted through: those of the second prompt follow those of the first.
    func deltas() -> Deltas {
        record.began(id, promptTokens: promptTokens)
        return Deltas(choicesOfEach: choicesOfEach, parts: parts, record: record)
    }

    struct Deltas: Sendable {
        let choicesOfEach: Int
        fileprivate var parts: [Part]
        private var current = 0
        private let record: RequestRecord

        fileprivate init(choicesOfEach: Int, parts: [Part], record: RequestRecord) {
            (self.choicesOfEach, self.parts, self.record) = (choicesOfEach, parts, record)
        }

        /// - Throws: `RPCError`.
        mutating func next() async throws -> GenerateDelta? {
            while current < parts.count {
                var delta = parts[current].first
                parts[current].first = nil
                if delta == nil { delta = try await parts[current].call.next() }
                if var delta {
                    delta.choice += UInt32(current * choicesOfEach)
                    if delta.token != nil { record.token() }
                    record.keep(answer: delta.text, choice: delta.choice)
                    if !delta.finishReason.isEmpty { record.finished(delta.finishReason) }
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
                if delta.token != nil { tokens += 1 }
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

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
    let prompts: [[Int32]]
    let choicesOfEach: Int
    let streams: [ReplyStream<GenerateDelta>]

    var choices: Int { prompts.count * choicesOfEach }
    var promptTokens: Int { prompts.reduce(0) { $0 + $1.count } }

    /// The deltas of all streams, choices counted through: those of the second prompt follow those of the first.
    ///
    /// The first delta of every stream is awaited here, so that a refusal comes before any answer has begun.
    ///
    /// - Throws: `APIError` when the text-model refuses.
    func deltas() async throws -> Deltas {
        do {
            var firsts: [GenerateDelta?] = []
            for stream in streams { firsts.append(try await stream.next()?.message) }
            return Deltas(generation: self, firsts: firsts)
        } catch let error as RPCError {
            throw APIError(error)
        }
    }

    struct Deltas: Sendable {
        let generation: Generation
        fileprivate var firsts: [GenerateDelta?]
        private var current = 0

        fileprivate init(generation: Generation, firsts: [GenerateDelta?]) {
            (self.generation, self.firsts) = (generation, firsts)
        }

        /// - Throws: `RPCError`.
        mutating func next() async throws -> GenerateDelta? {
            while current < generation.streams.count {
                var delta: GenerateDelta?
                if let first = firsts[current] {
                    delta = first
                    firsts[current] = nil
                } else {
                    delta = try await generation.streams[current].next()?.message
                }
                if var delta, delta.choice < generation.choicesOfEach {
                    delta.choice += UInt32(current * generation.choicesOfEach)
                    return delta
                }
                if delta == nil { current += 1 }
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
        var deltas = try await deltas()
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

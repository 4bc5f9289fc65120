import ContentFilter
import Foundation
import Messages
import RPC

/// One request's generations under way, one stream a prompt: their deltas as they come, and what is known of them as
/// a whole.
struct Generation: Sendable {
    /// One choice as a whole.
    struct Choice: Sendable {
        struct Call: Sendable {
            var id: String
            var name: String
            /// The text of a JSON object, as the model has written it.
            var arguments = ""
        }

        var text = ""
        /// What the model thought before; empty for nothing.
        var reasoning = ""
        var calls: [Call] = []
        var logprobs: [Wire.TokenLogprob] = []
        /// Log-probabilities of the prompt's tokens from the second on, where asked for.
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
    /// How the answers are read; nil where all of them is content.
    var reading: AnswerReading?

    /// One prompt's call, and the first delta that came of it.
    struct Part: Sendable {
        var call: ResumableGeneration
        var first: Wire.GenerateDelta?
    }

    var prompts: [[Int32]] { parts.map { $0.call.request.prompt } }
    var choices: Int { parts.count * choicesOfEach }
    var promptTokens: Int { parts.reduce(0) { $0 + $1.call.request.prompt.count } }

    /// What has been used before the first token.
    var usage: Usage { Usage(prompt: promptTokens) }

    /// Starts the generations of one request, a call for each prompt, and waits for the first delta of each, so that a
    /// refusal comes before any answer has begun.
    ///
    /// - Parameter restored: of an answer that another gateway may have begun, with one call; nil for a new one.
    /// - Throws: `APIError` when the text-model refuses, or the deadline passes.
    static func begin(
        _ calls: [Wire.GenerateRequest], on fleet: Fleet, model: ModelDescription, idPrefix: String,
        restored: RestoredAnswer? = nil, _ scope: RequestScope
    ) async throws -> Generation {
        let calls = calls.map { call in
            if let call = restored?.start?.call { return call }
            var call = call
            call.greenList = scope.greenList
            return call
        }
        let parts = try await fleet.generate(calls, model: model, restored: restored, until: scope.deadline)
        return Generation(
            id: restored?.id ?? idPrefix + ServiceDescription.newInstanceID(),
            created: restored?.created ?? Int(Date().timeIntervalSince1970),
            model: model.name, fingerprint: "fp_" + (parts.first?.call.numericsID ?? model.numericsID).prefix(12),
            choicesOfEach: Int(calls.first?.n ?? 1), parts: parts, record: scope.record, filter: scope.filter,
            notice: scope.notice)
    }

    /// The deltas of all prompts, choices counted through: those of the second prompt follow those of the first.
    func deltas() -> AnswerDeltas {
        record.began(id, promptTokens: promptTokens)
        var transforms: [any DeltaTransform] = []
        if let reading { transforms.append(ParsingTransform(reading, generationID: id)) }
        if let filter, filter.filters(.out) { transforms.append(FilterTransform(filter, choices: choices)) }
        if record.keepsText { transforms.append(RecordingTransform(record)) }
        if let notice { transforms.append(NoticeTransform(notice)) }
        return AnswerDeltas(choicesOfEach: choicesOfEach, parts: parts, record: record, transforms)
    }

    /// All deltas at once, joined by choice.
    ///
    /// - Throws: `APIError`.
    func collect() async throws -> (choices: [Choice], usage: Usage) {
        var joined = [Choice](repeating: Choice(), count: choices)
        var usage = usage
        var deltas = deltas()
        do {
            while let delta = try await deltas.next() {
                let choice = Int(delta.choice)
                switch delta.part {
                case .content: joined[choice].text += delta.text
                case .reasoning: joined[choice].reasoning += delta.text
                case .call:
                    if let call = delta.call { joined[choice].calls.append(.init(id: call.id, name: call.name)) }
                    if let last = joined[choice].calls.indices.last {
                        joined[choice].calls[last].arguments += delta.text
                    }
                }
                usage.count(delta)
                if let logprob = delta.logprob { joined[choice].logprobs.append(logprob) }
                if !delta.promptLogprobs.isEmpty { joined[choice].promptLogprobs = delta.promptLogprobs }
                if !delta.finishReason.isEmpty { joined[choice].finishReason = delta.finishReason }
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return (joined, usage)
    }
}

import Accounts
import Foundation
import GatewayClient

/// What a round asks of the gateway.
struct GatewayCalls: Sendable {
    let client: GatewayClient

    // MARK: Jobs

    struct File: Decodable, Sendable { var id: String }

    struct Job: Decodable, Sendable {
        struct Problem: Decodable, Sendable { var message: String }

        var id: String
        var status: String
        var fine_tuned_model: String?
        var error: Problem?
    }

    private struct JobRequest: Encodable {
        struct Numbers: Encodable {
            var n_epochs: Int?
            var batch_size: Int?
            var learning_rate_multiplier: Double?
            var desirable_weight: Double?
            var undesirable_weight: Double?
        }
        struct Own: Encodable { var hyperparameters: Numbers }

        var model: String
        var training_file: String
        var seed = 1
        var suffix = "learned"
        var method: [String: Value]

        enum Value: Encodable {
            case text(String)
            case own(Own)

            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                switch self {
                case .text(let text): try container.encode(text)
                case .own(let own): try container.encode(own)
                }
            }
        }
    }

    /// Begins a job. Of kto, the rarer of liked and other answers weighs as much as the rest together (arXiv 2402.01306, §4.2).
    func train(
        _ model: String, on answers: RatedAnswers, by method: RatedAnswers.Method, _ options: Learner.Options
    ) async throws -> Job {
        let file = try await client.upload(
            File.self, "v1/files", name: "learned.jsonl", try answers.lines(method), fields: ["purpose": "fine-tune"])
        var numbers = JobRequest.Numbers(
            n_epochs: options.epochs, batch_size: options.batch,
            learning_rate_multiplier: options.learningRateMultiplier)
        let (liked, all) = (Double(answers.count(.sft)), Double(answers.count(.kto)))
        if method == .kto, liked > 0, liked < all {
            numbers.desirable_weight = min(max(1, (all - liked) / liked), 100)
            numbers.undesirable_weight = min(max(1, liked / (all - liked)), 100)
        }
        let request = JobRequest(
            model: model, training_file: file.id,
            method: ["type": .text(method.name), method.name: .own(.init(hyperparameters: numbers))])
        return try await client.post(Job.self, "v1/fine_tuning/jobs", request)
    }

    func job(_ id: String) async throws -> Job { try await client.get(Job.self, "v1/fine_tuning/jobs/" + id) }

    private struct Checkpoints: Decodable {
        struct Checkpoint: Decodable {
            var fine_tuned_model_checkpoint: String
            var step_number: Int
        }
        var data: [Checkpoint]
    }

    /// The adapters of a job's last epochs, the last first.
    func checkpoints(_ job: String) async throws -> [String] {
        let all = try await client.get(Checkpoints.self, "v1/fine_tuning/jobs/\(job)/checkpoints").data
        return all.sorted { $0.step_number > $1.step_number }.map(\.fine_tuned_model_checkpoint)
    }

    func delete(_ model: String) async throws { try await client.delete("v1/models/" + model) }

    // MARK: What models make of texts

    private struct Tokens: Decodable {
        var tokens: [Int32]
        var max_model_len: Int
    }
    private struct TokenizeRequest: Encodable {
        var model: String
        var messages: [Recording.Turn]
        var add_generation_prompt: Bool
    }

    private struct TextRequest: Encodable {
        var model: String
        var prompt: String
    }

    private struct CompletionRequest: Encodable {
        var model: String
        var prompt: [Int32]
        var max_tokens = 0
        var echo = true
        var logprobs = 1
    }

    private struct Completion: Decodable {
        struct Choice: Decodable {
            struct Logprobs: Decodable { var token_logprobs: [Double?] }
            var logprobs: Logprobs?
        }
        var choices: [Choice]
    }

    private func logprobs(_ model: String, _ prompt: [Int32]) async throws -> [Double?] {
        let answer = try await client.post(
            Completion.self, "v1/completions", CompletionRequest(model: model, prompt: prompt))
        guard let values = answer.choices.first?.logprobs?.token_logprobs else {
            throw LearningError(.malformed, "the gateway gives no log-probabilities of a prompt")
        }
        return values
    }

    /// exp of the mean of −log p over a text's tokens but the first, as many as the model's context holds.
    func perplexity(_ model: String, of text: String) async throws -> Double {
        let tokens = try await client.post(Tokens.self, "tokenize", TextRequest(model: model, prompt: text))
        let values = try await logprobs(model, Array(tokens.tokens.prefix(tokens.max_model_len - 1))).compactMap { $0 }
        guard !values.isEmpty else { throw LearningError(.malformed, "the fixed text has no two tokens") }
        return exp(-values.reduce(0, +) / Double(values.count))
    }

    /// The mean log-probability of an answer's tokens behind its conversation.
    func logProbability(of answer: String, behind turns: [Recording.Turn], _ model: String) async throws -> Double {
        func ids(_ messages: [Recording.Turn], asks: Bool) async throws -> [Int32] {
            try await client.post(
                Tokens.self, "tokenize",
                TokenizeRequest(model: model, messages: messages, add_generation_prompt: asks)
            ).tokens
        }
        let prompt = try await ids(turns, asks: true)
        let whole = try await ids(turns + [.init(role: "assistant", content: answer)], asks: false)
        let start = zip(prompt, whole).prefix { $0 == $1 }.count
        let values = try await logprobs(model, whole).dropFirst(max(1, start)).compactMap { $0 }
        return values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
    }

    private struct ChatRequest: Encodable {
        var model: String
        var messages: [Recording.Turn]
        var max_tokens: Int
        var temperature = 0.0
        var seed = 1
    }

    private struct Chat: Decodable {
        struct Choice: Decodable { var message: Recording.Turn }
        var choices: [Choice]
    }

    func answer(_ model: String, to turns: [Recording.Turn], tokens: Int) async throws -> String {
        let answer = try await client.post(
            Chat.self, "v1/chat/completions", ChatRequest(model: model, messages: turns, max_tokens: tokens))
        return answer.choices.first?.message.content ?? ""
    }
}

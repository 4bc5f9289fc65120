import Foundation
import JSON
import Messages

/// OpenAI's fine-tuning job.
struct FineTuningJob: Codable, Sendable {
    enum Status: String, Codable, Sendable {
        case validating_files, queued, running, paused, succeeded, failed, cancelled
    }

    struct Problem: Codable, Sendable {
        var code: String
        var message: String
        var param: String?
    }

    var id: String
    var object = "fine_tuning.job"
    var created_at: Int64
    var error: Problem?
    var estimated_finish: Int64?
    var fine_tuned_model: String?
    var finished_at: Int64?
    var hyperparameters: FineTuningMethod.Hyperparameters
    var integrations: [String] = []
    var metadata: [String: String]?
    var method: FineTuningMethod
    var model: String
    var organization_id = "nephele"
    var result_files: [String] = []
    var seed: Int64
    var status = Status.queued
    var trained_tokens: Int?
    var training_file: String
    var validation_file: String?

    /// Clients expect all of these keys.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(object, forKey: .object)
        try container.encode(created_at, forKey: .created_at)
        try container.encode(error, forKey: .error)
        try container.encode(estimated_finish, forKey: .estimated_finish)
        try container.encode(fine_tuned_model, forKey: .fine_tuned_model)
        try container.encode(finished_at, forKey: .finished_at)
        try container.encode(hyperparameters, forKey: .hyperparameters)
        try container.encode(integrations, forKey: .integrations)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(method, forKey: .method)
        try container.encode(model, forKey: .model)
        try container.encode(organization_id, forKey: .organization_id)
        try container.encode(result_files, forKey: .result_files)
        try container.encode(seed, forKey: .seed)
        try container.encode(status, forKey: .status)
        try container.encode(trained_tokens, forKey: .trained_tokens)
        try container.encode(training_file, forKey: .training_file)
        try container.encode(validation_file, forKey: .validation_file)
    }
}

/// A job as it is kept: what clients see, and what it is trained from.
struct StoredJob: Codable, Sendable {
    var job: FineTuningJob
    /// The model that is served, of which `job.model` may be an adapter.
    var base: String
    /// The adapter to begin with, within the folder of adapters; empty for none.
    var startingAdapter: String
    /// The name under which the result is served.
    var name: String
    /// Calls of trainers since a step was made.
    var attempts = 0

    /// - Throws: where no gateway has written it.
    init(_ document: Wire.StateDocument) throws {
        self = try JSONDecoder().decode(StoredJob.self, from: Data(document.body))
    }

    init(_ job: FineTuningJob, base: String, startingAdapter: String, suffix: String?) {
        (self.job, self.base, self.startingAdapter) = (job, base, startingAdapter)
        name = "ft:\(base):\(job.organization_id):\(suffix ?? ""):\(job.id.suffix(8))"
    }

    func body() throws -> [UInt8] { Array(try JSONResponse.encoded(self)) }

    /// What the adapter after a step is served as.
    func name(ofStep step: Int, of steps: Int) -> String { step == steps ? name : name + ":ckpt-step-\(step)" }
}

/// OpenAI's event of a job.
struct FineTuningEvent: Encodable, Sendable {
    struct Metrics: Encodable, Sendable {
        var step: Int
        var total_steps: Int
        var train_loss: Double
        var valid_loss: Double?
    }

    var id: String
    var object = "fine_tuning.job.event"
    var created_at: Int64
    var level: String
    var message: String
    var type: String
    var data: Metrics?

    init(_ event: Wire.TrainingEvent, id: String) {
        (self.id, created_at, level, message) = (id, event.created, event.level, event.message)
        type = event.step == nil ? "message" : "metrics"
        data = event.step.map {
            Metrics(step: $0.step, total_steps: $0.steps, train_loss: $0.loss, valid_loss: $0.heldOutLoss)
        }
    }
}

/// OpenAI's checkpoint of a job: the adapter of an epoch's end.
struct FineTuningCheckpoint: Codable, Sendable {
    struct Metrics: Codable, Sendable {
        var step: Int
        var train_loss: Double
        var valid_loss: Double?
    }

    var id: String
    var object = "fine_tuning.job.checkpoint"
    var created_at: Int64
    var fine_tuned_model_checkpoint: String
    var fine_tuning_job_id: String
    var metrics: Metrics
    var step_number: Int
    /// Within the folder of adapters.
    var path: String?

    /// As clients see it.
    var shown: FineTuningCheckpoint {
        var shown = self
        shown.path = nil
        return shown
    }
}

/// An adapter that a job has made, and that is served until it is deleted.
struct FineTunedModel: Codable, Sendable {
    var base: String
    /// Within the folder of adapters.
    var path: String
}

import Foundation
import JSON
import Messages

/// OpenAI's batch object.
struct BatchObject: Codable, Sendable {
    enum Status: String, Codable, Sendable {
        case validating, failed, in_progress, finalizing, completed, expired, cancelling, cancelled
    }

    struct Counts: Codable, Sendable {
        var total = 0
        var completed = 0
        var failed = 0
    }

    struct Problem: Codable, Sendable {
        var code: String
        var line: Int?
        var message: String
        var param: String?
    }

    struct Problems: Codable, Sendable {
        var object = "list"
        var data: [Problem]
    }

    var id: String
    var object = "batch"
    var endpoint: String
    var errors: Problems?
    var input_file_id: String
    var completion_window: String
    var status = Status.validating
    var output_file_id: String?
    var error_file_id: String?
    var created_at: Int64
    var in_progress_at: Int64?
    var expires_at: Int64
    var finalizing_at: Int64?
    var completed_at: Int64?
    var failed_at: Int64?
    var expired_at: Int64?
    var cancelling_at: Int64?
    var cancelled_at: Int64?
    var request_counts = Counts()
    var metadata: [String: String]?

    /// Clients expect all of these keys.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(object, forKey: .object)
        try container.encode(endpoint, forKey: .endpoint)
        try container.encode(errors, forKey: .errors)
        try container.encode(input_file_id, forKey: .input_file_id)
        try container.encode(completion_window, forKey: .completion_window)
        try container.encode(status, forKey: .status)
        try container.encode(output_file_id, forKey: .output_file_id)
        try container.encode(error_file_id, forKey: .error_file_id)
        try container.encode(created_at, forKey: .created_at)
        try container.encode(in_progress_at, forKey: .in_progress_at)
        try container.encode(expires_at, forKey: .expires_at)
        try container.encode(finalizing_at, forKey: .finalizing_at)
        try container.encode(completed_at, forKey: .completed_at)
        try container.encode(failed_at, forKey: .failed_at)
        try container.encode(expired_at, forKey: .expired_at)
        try container.encode(cancelling_at, forKey: .cancelling_at)
        try container.encode(cancelled_at, forKey: .cancelled_at)
        try container.encode(request_counts, forKey: .request_counts)
        try container.encode(metadata, forKey: .metadata)
    }
}

/// A batch as it is kept: what clients see, and whose key its lines are asked with.
struct StoredBatch: Codable, Sendable {
    var batch: BatchObject
    var keyDigest: String?

    init(_ batch: BatchObject, keyDigest: String?) { (self.batch, self.keyDigest) = (batch, keyDigest) }

    /// - Throws: where no gateway has written it.
    init(_ document: Wire.StateDocument) throws {
        self = try JSONDecoder().decode(StoredBatch.self, from: Data(document.body))
    }

    func body() throws -> [UInt8] { Array(try JSONResponse.encoded(self)) }
}

/// A line of a batch: what is asked, then what was answered.
struct BatchLine: Sendable {
    /// How a line ended, as its document says it: 0 is none of them.
    enum Outcome: UInt32, Sendable { case completed = 1, failed, cancelled, expired }

    var customID: String
    var request: JSONValue?
    var response: JSONValue?
    var error: JSONValue?

    init(customID: String, request: JSONValue) { (self.customID, self.request) = (customID, request) }

    init(_ document: Wire.StateDocument) {
        let body = document.json
        customID = body["custom_id"]?.text ?? ""
        (request, response, error) = (body["request"], body["response"], body["error"])
    }

    var body: [UInt8] {
        JSONValue.object(JSONObject([("custom_id", .string(customID))])).setting([
            ("request", request), ("response", response), ("error", error),
        ]).bytes
    }

    /// The line of the output that a client gets.
    func output(id: String) -> [UInt8] {
        JSONValue.object(
            JSONObject([
                ("id", .string(id)), ("custom_id", .string(customID)), ("response", response ?? .null),
                ("error", error ?? .null),
            ])
        ).bytes + [10]
    }
}

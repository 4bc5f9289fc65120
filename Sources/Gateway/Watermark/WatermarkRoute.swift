import Accounts
import ContentLabels
import Foundation
import Hummingbird
import Messages
import Watermarking

/// `POST /v1/watermark/detect`: a text or texts, and the model whose tokens they are read as.
struct WatermarkRequest: Decodable, Sendable {
    /// Texts of one request, at most.
    static let inputLimit = 256

    var model: String
    var input: OneOrMany<String>
    /// In standard deviations.
    var z_threshold: Double?
}

/// Fields beyond `key_id` are those of transformers' `WatermarkDetectorOutput`.
struct WatermarkResponse: Encodable {
    struct Detection: Encodable {
        var object = "watermark.detection"
        var index: Int
        /// Whether the text counts as marked.
        var prediction: Bool
        /// 1 − p.
        var confidence: Double
        var z_score: Double
        var p_value: Double
        var num_tokens_scored: Int
        var num_green_tokens: Int
        var green_fraction: Double
        var key_id: String

        init(_ verdict: WatermarkVerdict, index: Int) {
            self.index = index
            (prediction, key_id) = (verdict.isMarked, verdict.keyID)
            (confidence, p_value) = (1 - verdict.pValue, verdict.pValue)
            z_score = verdict.evidence.zScore
            (num_tokens_scored, num_green_tokens) = (verdict.evidence.scored, verdict.evidence.green)
            green_fraction = Double(num_green_tokens) / Double(max(1, num_tokens_scored))
        }
    }

    var object = "list"
    var model: String
    var z_threshold: Double
    /// The share of unmarked texts that are taken for marked ones, at most.
    var false_positive_rate: Double
    var data: [Detection]
}

/// `POST /v1/watermark/detect`.
struct WatermarkRoute: RouteGroup {
    let pipeline: RequestPipeline
    let fleet: Fleet
    let routing: RoutingSource
    let labels: LabelSource

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/watermark/detect") { request, context in
            try await pipeline.run(.query, request, context) { data, scope in
                try await detect(data, by: scope.account, until: scope.deadline)
            }
        }
    }

    private func detect(
        _ data: Data, by account: Account?, until deadline: ContinuousClock.Instant
    ) async throws -> Response {
        let request = try JSONRequest.decode(WatermarkRequest.self, from: data)
        let texts = request.input.values
        guard (1...WatermarkRequest.inputLimit).contains(texts.count) else {
            throw APIError.invalidRequest(
                "'input' has \(texts.count) texts; it takes 1 to \(WatermarkRequest.inputLimit).", parameter: "input")
        }
        let labels = labels.current
        let keys = labels.watermarkKeys
        guard !keys.isEmpty, let standard = labels.watermarkThreshold else {
            throw APIError(
                status: .notFound,
                message: "No watermark is configured here: the gateway's --labels file names no 'watermark' keys.",
                type: "invalid_request_error", code: "watermark_not_configured")
        }
        let threshold = request.z_threshold ?? standard
        guard (1...37).contains(threshold) else {
            throw APIError.invalidRequest(
                "z_threshold is \(threshold); it must lie in 1…37.", parameter: "z_threshold")
        }
        let detector = try WatermarkDetector(request.model, by: account, fleet, routing)
        var detections: [WatermarkResponse.Detection] = []
        for (index, text) in texts.enumerated() {
            let verdict = try await detector.verdict(on: text, keys, threshold: threshold, until: deadline)
            detections.append(.init(verdict, index: index))
        }
        return try JSONResponse.make(
            WatermarkResponse(
                model: request.model, z_threshold: threshold,
                false_positive_rate: WatermarkEvidence.tail(beyond: threshold), data: detections))
    }
}

import ContentLabels
import Foundation
import Hummingbird

/// What a file's labels say of where it comes from, in OpenAI's form; `aigc`, `watermark` and `notice` are our own.
struct ProvenanceCheck: Encodable {
    struct Finding: Encodable {
        var type: String
        /// detected: the label is there, and this gateway's operator has put it there.
        var outcome: String
        /// Of C2PA: trusted, valid, invalid or not_present.
        var validation_state: String?
        /// Why a manifest is invalid.
        var reason: String?
        /// Who has signed, or says that it generates.
        var issuer: String?
        var model: String?
        var generated_at: String?
        /// The provider's number for the content.
        var produce_id: String?
        /// Of a watermark.
        var key_id: String?
        var p_value: Double?
        var z_score: Double?

        init(_ type: String, isDetected: Bool) {
            (self.type, outcome) = (type, isDetected ? "detected" : "not_detected")
        }
    }

    var object = "content_provenance_check"
    var created_at = Int64(Date().timeIntervalSince1970)
    var results: [Finding]
}

/// `POST /v1/content_provenance_checks`: a form with a picture or a text, and for a text the model that may have written it.
struct ProvenanceRoute: RouteGroup {
    let pipeline: RequestPipeline
    let fleet: Fleet
    let routing: RoutingSource
    let labels: LabelSource

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/content_provenance_checks") { request, context in
            let contentType = request.headers[.contentType]
            return try await pipeline.run(.query, request, context) { data, scope in
                let form = try ProvenanceForm(data, contentType: contentType)
                return try JSONResponse.make(ProvenanceCheck(results: try await findings(in: form, scope)))
            }
        }
    }

    private func findings(in form: ProvenanceForm, _ scope: RequestScope) async throws -> [ProvenanceCheck.Finding] {
        let labels = labels.current
        if PictureFile(form.file) != nil {
            guard form.model == nil else {
                throw APIError.invalidRequest("'model' is for texts; 'file' is a picture.", parameter: "model")
            }
            return try await offEventLoop {
                [Self.credentials(of: form.file, labels), Self.metadata(of: form.file, labels)]
            }
        }
        guard let text = String(validating: form.file, as: UTF8.self), !form.file.contains(0) else {
            throw APIError.invalidRequest(
                "'file' begins as no PNG, JPEG, WebP or GIF file, and is no text in UTF-8.", parameter: "file")
        }
        return [try await watermark(in: text, form.model, labels, scope), Self.notice(in: text, labels)].compactMap(
            \.self)
    }

    private static func credentials(of file: [UInt8], _ labels: LabelSet) -> ProvenanceCheck.Finding {
        let report = labels.credentialsReader.report(on: file)
        var finding = ProvenanceCheck.Finding("c2pa", isDetected: report.state == .trusted && report.isGenerated)
        (finding.validation_state, finding.reason) = (report.state.rawValue, report.reason)
        (finding.issuer, finding.model, finding.generated_at) = (report.issuer, report.model, report.generatedAt)
        return finding
    }

    private static func metadata(of file: [UInt8], _ labels: LabelSet) -> ProvenanceCheck.Finding {
        let found = AIGCMetadata.found(in: file)
        var finding = ProvenanceCheck.Finding(
            "aigc", isDetected: found.map { labels.producers.contains($0.producer) } ?? false)
        (finding.issuer, finding.produce_id) = (found?.producer, found?.id)
        return finding
    }

    /// nil where no watermark is configured.
    private func watermark(
        in text: String, _ model: String?, _ labels: LabelSet, _ scope: RequestScope
    ) async throws -> ProvenanceCheck.Finding? {
        let keys = labels.watermarkKeys
        guard !keys.isEmpty, let threshold = labels.watermarkThreshold else {
            guard model == nil else {
                throw APIError.invalidRequest(
                    "'model' is for the watermark, and the gateway's --labels file names no 'watermark' keys.",
                    parameter: "model")
            }
            return nil
        }
        guard let model else {
            throw APIError.invalidRequest(
                "A text's watermark lies in the tokens of the model that wrote it: name it as 'model'.",
                parameter: "model")
        }
        let verdict = try await WatermarkDetector(model, by: scope.account, fleet, routing).verdict(
            on: text, keys, threshold: threshold, until: scope.deadline)
        var finding = ProvenanceCheck.Finding("watermark", isDetected: verdict.isMarked)
        (finding.model, finding.key_id) = (verdict.isMarked ? model : nil, verdict.keyID)
        (finding.p_value, finding.z_score) = (verdict.pValue, verdict.evidence.zScore)
        return finding
    }

    private static func notice(in text: String, _ labels: LabelSet) -> ProvenanceCheck.Finding {
        ProvenanceCheck.Finding("notice", isDetected: labels.notices.contains { $0.removed(from: text) != text })
    }
}

/// The form of a check.
struct ProvenanceForm {
    private(set) var file: [UInt8] = []
    /// Of a text: what may have written it.
    private(set) var model: String?

    /// - Throws: `APIError` for a body that is no form, or has other fields.
    init(_ body: Data, contentType: String?) throws {
        var reader = try MultipartReader(contentType: contentType)
        var parts: [String: [UInt8]] = [:]
        var current = ""
        for event in try reader.read(body) {
            switch event {
            case .part(let name, _):
                guard ["file", "model"].contains(name), parts[name] == nil else {
                    throw APIError.invalidRequest(
                        "'\(name.prefix(100))' is no field of a check's form, or there twice; it has 'file' and, for texts, "
                            + "'model'.", parameter: name)
                }
                (current, parts[name]) = (name, [])
            case .bytes(let bytes): parts[current]? += bytes
            }
        }
        guard reader.isComplete else { throw MultipartReader.broken("it ends before its last boundary") }
        guard let file = parts["file"], !file.isEmpty else {
            throw APIError.invalidRequest("The form has no 'file', or an empty one.", parameter: "file")
        }
        self.file = file
        model = try parts["model"].map { bytes in
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw APIError.invalidRequest("'model' is no UTF-8.", parameter: "model")
            }
            return name
        }
    }
}

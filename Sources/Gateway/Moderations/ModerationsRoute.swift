import ContentFilter
import Foundation
import Hummingbird
import Messages

/// `POST /v1/moderations`: a text, texts, or parts of one message.
struct ModerationRequest: Decodable, Sendable {
    /// Texts of one request, at most.
    static let inputLimit = 256

    var inputs: [String]

    private enum Key: String, CodingKey { case input }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        if let texts = try? container.decode([String].self, forKey: .input) {
            inputs = texts
        } else {
            inputs = [try container.decode(MessageText.self, forKey: .input).parts.joined(separator: "\n")]
        }
        guard (1...Self.inputLimit).contains(inputs.count) else {
            throw DecodingError.dataCorruptedError(
                forKey: .input, in: container, debugDescription: "takes 1 to \(Self.inputLimit) texts")
        }
    }
}

struct ModerationResponse: Encodable {
    struct Result: Encodable {
        var flagged: Bool
        var categories: [String: Bool]
        var category_scores: [String: Double]
        var category_applied_input_types: [String: [String]]
        /// Beyond OpenAI's form: what was found where, in bytes of the text's UTF-8.
        var findings: [Found]
    }

    struct Found: Encodable {
        var category: String
        var source: String
        var score: Double
        var start: Int
        var end: Int
        var detail: String
    }

    var id: String
    var model = "nephele-filter"
    var results: [Result]
}

/// `POST /v1/moderations`.
struct ModerationsRoute: RouteGroup {
    let pipeline: RequestPipeline
    let moderator: ContentFilter

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/moderations") { request, context in
            try await pipeline.run(.operation, request, context) { data, _ in try await moderate(data) }
        }
    }

    private func moderate(_ data: Data) async throws -> Response {
        let request = try JSONRequest.decode(ModerationRequest.self, from: data, refusing: .moderations)
        var results: [ModerationResponse.Result] = []
        for input in request.inputs {
            results.append(ModerationResponse.Result(moderator.findings(in: input)))
            await Task.yield()
        }
        return try JSONResponse.make(
            ModerationResponse(id: "modr-" + ServiceDescription.newInstanceID(), results: results))
    }
}

extension ModerationResponse.Result {
    private static let findingLimit = 100
    /// From this score on a category counts.
    private static let threshold = 0.5
    /// Findings of the classifier with a lower score are left out.
    private static let floor = 0.3

    init(_ findings: [Finding]) {
        var scores = Detectors.scores(findings)
        // What threatens out of hate is hate, and so on.
        for category in FilterCategory.openAI {
            guard let slash = category.rawValue.firstIndex(of: "/") else { continue }
            let whole = FilterCategory(rawValue: String(category.rawValue[..<slash]))
            scores[whole] = max(scores[whole] ?? 0, scores[category] ?? 0)
        }
        let names = FilterCategory.openAI.map(\.rawValue)
        let values = FilterCategory.openAI.map { scores[$0] ?? 0 }
        category_scores = Dictionary(uniqueKeysWithValues: zip(names, values))
        categories = category_scores.mapValues { $0 >= Self.threshold }
        flagged = categories.values.contains(true)
        category_applied_input_types = Dictionary(uniqueKeysWithValues: names.map { ($0, ["text"]) })
        self.findings = findings.filter { $0.score >= Self.floor }.prefix(Self.findingLimit).map {
            .init(
                category: $0.category.rawValue, source: $0.source.rawValue, score: $0.score,
                start: $0.range.lowerBound, end: $0.range.upperBound, detail: $0.detail)
        }
    }
}

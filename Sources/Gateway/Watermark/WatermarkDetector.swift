import Accounts
import ContentLabels
import Messages
import Watermarking

/// Looks for watermarks in texts, read as one model's tokens.
struct WatermarkDetector {
    private let model: ModelDescription
    private let fleet: Fleet

    /// - Parameter name: a text-model's, or an alias.
    /// - Throws: `APIError` for a model that is not there, or that the account may not use.
    init(_ name: String, by account: Account?, _ fleet: Fleet, _ routing: RoutingSource) throws {
        self.fleet = fleet
        model = try fleet.model(routing.current.aliases[name] ?? name, modalities: ["text"])
        guard account?.allows(model: model.name) ?? true else {
            throw APIError(
                status: .forbidden,
                message: "The key '\(account?.name ?? "")' may not use the model '\(model.name)'.",
                type: "invalid_request_error", parameter: "model", code: "model_not_allowed")
        }
    }

    /// - Parameter threshold: in standard deviations.
    func verdict(
        on text: String, _ keys: [Watermark.Key], threshold: Double, until deadline: ContinuousClock.Instant
    ) async throws -> WatermarkVerdict {
        let ids = try await fleet.call(
            Wire.Tokenizer.encode, Wire.EncodeRequest(model: model.base, text: text, addSpecialTokens: false),
            model: model, until: deadline
        ).ids
        // Counts without keeping a thread for long.
        var counts = keys.map { GreenCount($0.list) }
        for start in stride(from: 0, to: ids.count, by: 8_192) {
            for index in counts.indices { counts[index].take(ids[start..<min(start + 8_192, ids.count)]) }
            await Task.yield()
        }
        return WatermarkVerdict(zip(keys, counts).map { ($0, $1.evidence) }, threshold: threshold)
    }
}

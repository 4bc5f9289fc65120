/// What was used: of one request, or of many together.
package struct Consumption: Sendable, Equatable, Codable {
    package var requests: Int
    package var promptTokens: Int
    package var completionTokens: Int
    package var pictures: Int
    package var cost: Double

    package init(
        requests: Int = 0, promptTokens: Int = 0, completionTokens: Int = 0, pictures: Int = 0, cost: Double = 0
    ) {
        (self.requests, self.promptTokens, self.completionTokens) = (requests, promptTokens, completionTokens)
        (self.pictures, self.cost) = (pictures, cost)
    }

    package static func += (left: inout Consumption, right: Consumption) {
        left.requests += right.requests
        left.promptTokens += right.promptTokens
        left.completionTokens += right.completionTokens
        left.pictures += right.pictures
        left.cost += right.cost
    }
}

/// What a model costs, in a currency of the operator's.
package struct Price: Sendable, Equatable, Codable {
    package var model: String
    package var perMillionPromptTokens: Double
    package var perMillionCompletionTokens: Double
    package var perPicture: Double

    package init(
        model: String, perMillionPromptTokens: Double = 0, perMillionCompletionTokens: Double = 0,
        perPicture: Double = 0
    ) {
        (self.model, self.perPicture) = (model, perPicture)
        self.perMillionPromptTokens = perMillionPromptTokens
        self.perMillionCompletionTokens = perMillionCompletionTokens
    }

    package func cost(of usage: Consumption) -> Double {
        Double(usage.promptTokens) / 1e6 * perMillionPromptTokens
            + Double(usage.completionTokens) / 1e6 * perMillionCompletionTokens + Double(usage.pictures) * perPicture
    }
}

/// What one key used of one model on one day.
package struct UsageRow: Sendable, Equatable, Codable {
    /// `2026-11-25`, in UTC.
    package var day: String
    package var key: String
    package var model: String
    package var usage: Consumption

    package init(day: String, key: String, model: String, usage: Consumption) {
        (self.day, self.key, self.model, self.usage) = (day, key, model, usage)
    }
}

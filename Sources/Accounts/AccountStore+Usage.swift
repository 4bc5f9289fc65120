internal import Foundation
internal import GRDB

extension AccountStore {
    /// What one key used of one model, to be added to its day.
    package struct Entry: Sendable {
        package var key: Int64
        package var model: String
        package var usage: Consumption

        package init(key: Int64, model: String, usage: Consumption) {
            (self.key, self.model, self.usage) = (key, model, usage)
        }
    }

    /// The day in UTC, `2026-11-25`.
    package static var today: String { Date().formatted(.iso8601.year().month().day()) }

    package func add(_ entries: [Entry], on day: String) async throws {
        guard !entries.isEmpty else { return }
        try await write { database in
            let statement = try database.cachedStatement(
                sql: """
                    INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (day, key, model) DO UPDATE SET
                      requests = requests + excluded.requests, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                      completion_tokens = completion_tokens + excluded.completion_tokens,
                      pictures = pictures + excluded.pictures, cost = cost + excluded.cost
                    """)
            for entry in entries {
                let usage = entry.usage
                try statement.execute(arguments: [
                    day, entry.key, entry.model, usage.requests, usage.promptTokens, usage.completionTokens,
                    usage.pictures, usage.cost,
                ])
            }
        }
    }

    /// By day, key and model, the latest day first.
    ///
    /// - Parameters:
    ///   - key: nil for all.
    ///   - days: from and to, both of them included.
    package func usage(key: Int64? = nil, days: ClosedRange<String>) async throws -> [UsageRow] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT usage.*, key.name AS name FROM usage JOIN key ON key.id = usage.key
                    WHERE day BETWEEN ? AND ? AND (? IS NULL OR usage.key = ?) ORDER BY day DESC, name, model
                    """, arguments: [days.lowerBound, days.upperBound, key, key]
            ).map { row in
                UsageRow(
                    day: row["day"], key: row["name"], model: row["model"],
                    usage: Consumption(
                        requests: row["requests"], promptTokens: row["prompt_tokens"],
                        completionTokens: row["completion_tokens"], pictures: row["pictures"], cost: row["cost"]))
            }
        }
    }

    /// What a key has spent on a day.
    package func spending(key: Int64, on day: String) async throws -> Double {
        try await read { database in
            try Double.fetchOne(
                database, sql: "SELECT total(cost) FROM usage WHERE key = ? AND day = ?", arguments: [key, day]) ?? 0
        }
    }

    package func setPrice(_ price: Price) async throws {
        try await write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO price VALUES (?, ?, ?, ?)",
                arguments: [
                    price.model, price.perMillionPromptTokens, price.perMillionCompletionTokens, price.perPicture,
                ])
        }
    }

    package func prices() async throws -> [String: Price] {
        try await read { database in
            let prices = try Row.fetchAll(database, sql: "SELECT * FROM price").map { row in
                Price(
                    model: row["model"], perMillionPromptTokens: row["prompt"],
                    perMillionCompletionTokens: row["completion"], perPicture: row["picture"])
            }
            return Dictionary(prices.map { ($0.model, $0) }) { $1 }
        }
    }
}

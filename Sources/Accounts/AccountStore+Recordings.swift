internal import Foundation
internal import GRDB

extension AccountStore {
    /// Keeps an answer, and the latest `limit` of them.
    package func record(_ recording: Recording, limit: Int = 1_000_000) async throws {
        let (turns, calls, now) = (try Self.json(recording.turns), try Self.json(recording.calls), Self.now)
        try await write { database in
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO recording (id, key, model, turns, answer, calls, is_cut, created)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    recording.id, recording.key, recording.model, turns, recording.answer, calls, recording.isCut, now,
                ])
            try database.execute(
                sql: "DELETE FROM recording WHERE number <= (SELECT max(number) FROM recording) - ?", arguments: [limit]
            )
        }
    }

    /// - Returns: Whether the answer that is judged was recorded.
    @discardableResult
    package func add(_ feedback: Feedback) async throws -> Bool {
        let now = Self.now
        return try await write { database in
            try database.execute(
                sql: """
                    INSERT INTO feedback (answer_id, key, rating, correction, comment, created) VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    feedback.answerID, feedback.key, feedback.rating, feedback.correction, feedback.comment, now,
                ])
            return try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM recording WHERE id = ?)", arguments: [feedback.answerID])
                ?? false
        }
    }

    /// Recorded conversations in the order in which they were, each with its latest feedback; a correction takes the
    /// answer's place.
    ///
    /// - Parameters:
    ///   - rating: only those with at least this one; nil for all.
    ///   - body: is given one after the other, so that memory stays small.
    package func exportTraining(rating: Int? = nil, _ body: (TrainingExample) throws -> Void) async throws {
        var last: Int64 = 0
        while true {
            let after = last
            let batch = try await read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT recording.number, turns, answer, calls, is_cut, rating, correction FROM recording
                        LEFT JOIN feedback ON feedback.number =
                          (SELECT max(number) FROM feedback WHERE answer_id = recording.id)
                        WHERE recording.number > ? AND (? IS NULL OR rating >= ?) ORDER BY recording.number LIMIT 500
                        """, arguments: [after, rating, rating]
                ).map { row in
                    let turns: String = row["turns"]
                    let (answer, correction): (String, String?) = (row["answer"], row["correction"])
                    var messages = try JSONDecoder().decode([Recording.Turn].self, from: Data(turns.utf8))
                    let calls = try JSONDecoder().decode(
                        [Recording.Call].self, from: Data((row["calls"] as String).utf8))
                    messages.append(
                        .init(
                            role: "assistant", content: correction ?? answer, calls: correction == nil ? calls : [],
                            isCut: correction == nil && row["is_cut"]))
                    return Exported(
                        number: row["number"],
                        example: TrainingExample(
                            messages: messages, rating: row["rating"], rejected: correction == nil ? nil : answer))
                }
            }
            guard let end = batch.last else { return }
            for exported in batch { try body(exported.example) }
            last = end.number
        }
    }

    private struct Exported: Sendable {
        var number: Int64
        var example: TrainingExample
    }
}

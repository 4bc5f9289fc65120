internal import Foundation
internal import GRDB

/// An answer that a user has judged.
package struct RatedRecording: Sendable, Equatable {
    /// Of the judgement, which orders them: an answer that is judged anew has a new one.
    package var number: Int64
    /// Of the answer.
    package var id: String
    package var model: String
    package var turns: [Recording.Turn]
    package var answer: String
    /// −1, 0 or 1.
    package var rating: Int
    package var correction: String?
    /// Whether the answer calls tools.
    package var callsTools: Bool
    /// Whether its limit of tokens ended the answer.
    package var isCut: Bool
    /// Whether its user wants nothing to be learned from it.
    package var isOptedOut: Bool

    package init(
        number: Int64, id: String, model: String, turns: [Recording.Turn], answer: String, rating: Int,
        correction: String? = nil,
        callsTools: Bool = false, isCut: Bool = false, isOptedOut: Bool = false
    ) {
        (self.number, self.id, self.model, self.turns, self.answer) = (number, id, model, turns, answer)
        (self.rating, self.correction) = (rating, correction)
        (self.callsTools, self.isCut, self.isOptedOut) = (callsTools, isCut, isOptedOut)
    }
}

extension AccountStore {
    /// Recorded answers with their latest judgements, in the order of these, as many as one read takes.
    ///
    /// - Parameter after: only judgements behind this one.
    package func ratedRecordings(after: Int64 = 0, limit: Int = 1_000) async throws -> [RatedRecording] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT feedback.number, recording.id, recording.model, turns, answer, rating, correction,
                      calls <> '[]' AS calls_tools, is_cut, EXISTS (SELECT 1 FROM opt_out WHERE opt_out.key = recording.key) AS is_out
                    FROM feedback JOIN recording ON recording.id = feedback.answer_id
                    WHERE feedback.number > ? AND feedback.number =
                      (SELECT max(number) FROM feedback AS other WHERE other.answer_id = recording.id)
                    ORDER BY feedback.number LIMIT ?
                    """, arguments: [after, limit]
            ).map { row in
                let turns: String = row["turns"]
                return RatedRecording(
                    number: row["number"], id: row["id"], model: row["model"],
                    turns: try JSONDecoder().decode([Recording.Turn].self, from: Data(turns.utf8)),
                    answer: row["answer"], rating: row["rating"], correction: row["correction"],
                    callsTools: row["calls_tools"], isCut: row["is_cut"], isOptedOut: row["is_out"])
            }
        }
    }

    /// The number of the last judgement; 0 where there is none.
    package func lastFeedback() async throws -> Int64 {
        try await read { try Int64.fetchOne($0, sql: "SELECT max(number) FROM feedback") ?? 0 }
    }

    /// Whether nothing is to be learned from what a key's user is answered, from the next round on.
    ///
    /// - Throws: `AccountsError` where no key has the name.
    package func setOptOut(_ isOut: Bool, name: String) async throws {
        let now = Self.now
        try await write { database in
            for id in try Self.keys(name, database) {
                try database.execute(sql: "DELETE FROM opt_out WHERE key = ?", arguments: [id])
                guard isOut else { continue }
                try database.execute(sql: "INSERT INTO opt_out (key, created) VALUES (?, ?)", arguments: [id, now])
            }
        }
    }

    /// Deletes all that is recorded of a key's user, and what they said of it.
    ///
    /// - Returns: how many recordings there were.
    /// - Throws: `AccountsError` where no key has the name.
    package func deleteRecordings(name: String) async throws -> Int {
        try await write { database in
            var count = 0
            for id in try Self.keys(name, database) {
                try database.execute(
                    sql:
                        "DELETE FROM feedback WHERE key = ? OR answer_id IN (SELECT id FROM recording WHERE key = ?)",
                    arguments: [id, id])
                try database.execute(sql: "DELETE FROM recording WHERE key = ?", arguments: [id])
                count += database.changesCount
            }
            return count
        }
    }

    /// Those in force and those that were revoked: a user's wish outlives their key.
    private static func keys(_ name: String, _ database: Database) throws -> [Int64] {
        let keys = try Int64.fetchAll(database, sql: "SELECT id FROM key WHERE name = ?", arguments: [name])
        guard !keys.isEmpty else { throw AccountsError(.notFound, "no key has the name '\(name)'") }
        return keys
    }
}

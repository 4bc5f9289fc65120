internal import Foundation
internal import GRDB

extension AccountStore {
    /// Makes a key. Its secret is in the answer and nowhere else.
    ///
    /// - Throws: `AccountsError` for a name that is taken or empty.
    package func makeKey(
        name: String, role: Account.Role = .user, models: [String] = [], limits: Account.Limits = .init(),
        filter: String? = nil
    ) async throws -> (key: APIKey, account: Account) {
        guard (1...100).contains(name.utf8.count), !name.contains(where: \.isNewline) else {
            throw AccountsError(.invalid, "a key's name has 1 to 100 bytes and no line break")
        }
        let key = APIKey()
        let (digest, hint, now) = (APIKey.digest(of: key.secret), key.hint, Self.now)
        let list = try Self.json(models)
        let account = try await write { database in
            let exists = try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM key WHERE name = ? AND revoked IS NULL)", arguments: [name]
            )
            guard exists != true else {
                throw AccountsError(
                    .alreadyExists, "there is a key '\(name)' already; revoke it or choose another name")
            }
            try database.execute(
                sql: """
                    INSERT INTO key (name, digest, hint, role, models, requests_per_minute, tokens_per_minute,
                                     spending_per_day, filter, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    name, digest, hint, role.rawValue, list, limits.requestsPerMinute, limits.tokensPerMinute,
                    limits.spendingPerDay, filter, now,
                ])
            return Account(
                id: database.lastInsertedRowID, name: name, role: role, models: models, limits: limits, filter: filter,
                hint: hint, created: now, revoked: nil)
        }
        return (key, account)
    }

    /// - Throws: `AccountsError` where no key in force has the name.
    package func revokeKey(name: String) async throws {
        let now = Self.now
        let changed = try await write { database in
            try database.execute(
                sql: "UPDATE key SET revoked = ? WHERE name = ? AND revoked IS NULL", arguments: [now, name])
            return database.changesCount
        }
        guard changed > 0 else { throw AccountsError(.notFound, "no key in force has the name '\(name)'") }
    }

    /// The accounts in force, and the revoked ones too where asked for.
    package func accounts(includingRevoked: Bool = false) async throws -> [Account] {
        try await read { database in
            let condition = includingRevoked ? "" : "WHERE revoked IS NULL"
            return try Row.fetchAll(database, sql: "SELECT * FROM key \(condition) ORDER BY id").map(Self.account)
        }
    }

    /// The owner of a key in force, by what `APIKey.digest` makes of it.
    package func account(digest: String) async throws -> Account? {
        try await read { database in
            try Row.fetchOne(
                database, sql: "SELECT * FROM key WHERE digest = ? AND revoked IS NULL", arguments: [digest]
            ).map(Self.account)
        }
    }

    private static func account(_ row: Row) -> Account {
        let models: String = row["models"]
        return Account(
            id: row["id"], name: row["name"], role: Account.Role(rawValue: row["role"]) ?? .user,
            models: (try? JSONDecoder().decode([String].self, from: Data(models.utf8))) ?? [],
            limits: .init(
                requestsPerMinute: row["requests_per_minute"], tokensPerMinute: row["tokens_per_minute"],
                spendingPerDay: row["spending_per_day"]), filter: row["filter"], hint: row["hint"],
            created: row["created"], revoked: row["revoked"])
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

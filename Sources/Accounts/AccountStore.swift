internal import Foundation
internal import GRDB

/// Keys, usage, recordings and feedback in one SQLite file, which several processes may have open (WAL).
package final class AccountStore: Sendable {
    let database: DatabasePool

    /// Opens the file, or makes it, readable by its owner only.
    ///
    /// - Throws: `AccountsError`.
    package init(file: String) throws {
        let isNew = !FileManager.default.fileExists(atPath: file)
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            // Texts stay out of error messages.
            configuration.publicStatementArguments = false
            database = try DatabasePool(path: file, configuration: configuration)
            if isNew { try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file) }
            try Self.migrator.migrate(database)
        } catch let error as DatabaseError {
            throw AccountsError(
                .storage, "the accounts file \(file) cannot be used: \(error.message ?? "\(error.resultCode)")")
        } catch {
            throw AccountsError(.storage, "the accounts file \(file) cannot be used: \(error.localizedDescription)")
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("keys, usage, prices") { database in
            try database.execute(
                sql: """
                    CREATE TABLE key (
                      id INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, hint TEXT NOT NULL,
                      role TEXT NOT NULL, models TEXT NOT NULL, requests_per_minute INTEGER, tokens_per_minute INTEGER,
                      spending_per_day REAL, filter TEXT, created INTEGER NOT NULL, revoked INTEGER);
                    CREATE UNIQUE INDEX key_name ON key (name) WHERE revoked IS NULL;
                    CREATE TABLE usage (
                      day TEXT NOT NULL, key INTEGER NOT NULL REFERENCES key, model TEXT NOT NULL,
                      requests INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
                      pictures INTEGER NOT NULL, cost REAL NOT NULL, PRIMARY KEY (day, key, model)) WITHOUT ROWID;
                    CREATE TABLE price (
                      model TEXT PRIMARY KEY, prompt REAL NOT NULL, completion REAL NOT NULL, picture REAL NOT NULL);
                    """)
        }
        migrator.registerMigration("recordings, feedback") { database in
            try database.execute(
                sql: """
                    CREATE TABLE recording (
                      number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key INTEGER, model TEXT NOT NULL,
                      turns TEXT NOT NULL, answer TEXT NOT NULL, created INTEGER NOT NULL);
                    CREATE TABLE feedback (
                      number INTEGER PRIMARY KEY, answer_id TEXT NOT NULL, key INTEGER, rating INTEGER NOT NULL,
                      correction TEXT, comment TEXT, created INTEGER NOT NULL);
                    CREATE INDEX feedback_answer ON feedback (answer_id);
                    """)
        }
        migrator.registerMigration("calls of recordings") { database in
            try database.execute(sql: "ALTER TABLE recording ADD COLUMN calls TEXT NOT NULL DEFAULT '[]'")
        }
        migrator.registerMigration("answers that were cut") { database in
            try database.execute(sql: "ALTER TABLE recording ADD COLUMN is_cut BOOLEAN NOT NULL DEFAULT FALSE")
        }
        migrator.registerMigration("opt-outs") { database in
            try database.execute(
                sql: """
                    CREATE TABLE opt_out (key INTEGER PRIMARY KEY, created INTEGER NOT NULL);
                    CREATE INDEX recording_key ON recording (key);
                    """)
        }
        return migrator
    }

    func read<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        do { return try await database.read(body) } catch { throw Self.storage(error) }
    }

    func write<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        do { return try await database.write(body) } catch { throw Self.storage(error) }
    }

    private static func storage(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        return AccountsError(.storage, "the accounts file: \(error.message ?? "\(error.resultCode)")")
    }

    static var now: Int64 { Int64(Date().timeIntervalSince1970) }
}

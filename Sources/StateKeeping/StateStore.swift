internal import Foundation
internal import GRDB
package import Messages
internal import RPC

/// Documents in an SQLite file, which several processes may have open (WAL); the file may be that of the accounts.
package final class StateStore: StateSource {
    private let database: DatabasePool
    private let file: String

    /// Bytes of a log that one answer holds, about.
    private static let readLimit = 4 << 20
    /// Documents that one answer lists.
    private static let listLimit = 1_000

    /// Opens the file, or makes it, readable by its owner only.
    ///
    /// - Throws: `RPCError` that names the file.
    package init(file: String) throws {
        self.file = file
        let isNew = !FileManager.default.fileExists(atPath: file)
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            // Texts stay out of error messages.
            configuration.publicStatementArguments = false
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
            database = try DatabasePool(path: file, configuration: configuration)
            if isNew { try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file) }
            try Self.migrator.migrate(database)
        } catch let error as DatabaseError {
            throw RPCError(
                .unavailable, "the state file \(file) cannot be used: \(error.message ?? "\(error.resultCode)")")
        } catch {
            throw RPCError(.unavailable, "the state file \(file) cannot be used: \(error.localizedDescription)")
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("documents") { database in
            try database.execute(
                sql: """
                    CREATE TABLE document (
                      number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, key INTEGER,
                      parent TEXT NOT NULL, body BLOB NOT NULL, is_open INTEGER NOT NULL, outcome INTEGER NOT NULL,
                      entries INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,
                      worker TEXT NOT NULL, leased_until INTEGER NOT NULL, UNIQUE (kind, id));
                    CREATE INDEX document_parent ON document (parent, kind, outcome) WHERE parent <> '';
                    CREATE INDEX document_key ON document (kind, key, number);
                    CREATE INDEX document_open ON document (kind, leased_until) WHERE is_open;
                    CREATE INDEX document_expires ON document (expires);
                    CREATE TABLE entry (
                      document INTEGER NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL,
                      UNIQUE (document, number));
                    """)
        }
        return migrator
    }

    private func read<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        do { return try await database.read(body) } catch { throw storage(error) }
    }

    private func write<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        do { return try await database.write(body) } catch { throw storage(error) }
    }

    private func storage(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        return RPCError(
            .unavailable, "the state file \(file): \(error.message ?? "\(error.resultCode)")", reason: "state")
    }

    /// Seconds since 1970.
    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }
    /// When a lease that is given now ends: milliseconds since 1970.
    private static func leaseEnd(_ lease: Duration) -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1_000) + Int64(lease / .milliseconds(1))
    }

    // MARK: Reading

    package func find(_ request: Wire.FindStateRequest) async throws -> Wire.FindStateReply {
        let now = Self.now
        return try await read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT * FROM document WHERE kind = ? AND id = ? AND expires > ?",
                arguments: [request.kind, request.id, now])
            guard let row else { return Wire.FindStateReply() }
            var reply = Wire.FindStateReply(document: Self.document(row))
            guard let first = request.firstEntry else { return reply }
            let number: Int64 = row["number"]
            let entries = try Row.fetchCursor(
                database, sql: "SELECT bytes FROM entry WHERE document = ? AND number >= ? ORDER BY number",
                arguments: [number, first])
            var size = 0
            while size < Self.readLimit, let entry = try entries.next() {
                let bytes: Data = entry["bytes"]
                size += bytes.count + 64
                reply.entries.append([UInt8](bytes))
            }
            return reply
        }
    }

    package func list(_ request: Wire.ListStateRequest) async throws -> Wire.ListStateReply {
        let now = Self.now
        let limit = min(request.limit, Self.listLimit)
        return try await read { database in
            let order = request.latestFirst ? "DESC" : "ASC"
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM document WHERE kind = ? AND expires > ? AND (? IS NULL OR key = ?)
                      AND (? = '' OR parent = ?) AND (? IS NULL OR number \(request.latestFirst ? "<" : ">") ?)
                    ORDER BY number \(order) LIMIT ?
                    """,
                arguments: [
                    request.kind, now, request.key, request.key, request.parent, request.parent, request.after,
                    request.after, limit,
                ])
            return Wire.ListStateReply(documents: rows.map(Self.document))
        }
    }

    package func tally(_ request: Wire.TallyStateRequest) async throws -> Wire.TallyStateReply {
        try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT outcome, count(*) AS parts FROM document WHERE parent = ? AND kind = ? GROUP BY outcome",
                arguments: [request.parent, request.kind])
            return Wire.TallyStateReply(outcomes: rows.map { $0["outcome"] }, counts: rows.map { $0["parts"] })
        }
    }

    private static func document(_ row: Row) -> Wire.StateDocument {
        let body: Data = row["body"]
        return Wire.StateDocument(
            kind: row["kind"], id: row["id"], key: row["key"], parent: row["parent"], body: [UInt8](body),
            isOpen: row["is_open"], outcome: row["outcome"], entries: row["entries"], created: row["created"],
            expires: row["expires"], number: row["number"])
    }

    // MARK: Changes

    package func put(_ request: Wire.PutStateRequest) async throws -> Wire.PutStateReply {
        let (now, until) = (Self.now, Self.leaseEnd(request.lease))
        return try await write { database in
            var added = 0
            for document in request.documents {
                try database.execute(
                    sql: """
                        INSERT OR IGNORE INTO document (kind, id, key, parent, body, is_open, outcome, entries, created,
                          expires, worker, leased_until) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)
                        """,
                    arguments: [
                        document.kind, document.id, document.key, document.parent, Data(document.body),
                        document.isOpen, document.outcome, document.created == 0 ? now : document.created,
                        document.expires, request.worker, request.worker.isEmpty ? 0 : until,
                    ])
                added += database.changesCount
            }
            return Wire.PutStateReply(added: added)
        }
    }

    package func claim(_ request: Wire.ClaimStateRequest) async throws -> Wire.ClaimStateReply {
        let (now, free, until) = (Self.now, Self.leaseEnd(.zero), Self.leaseEnd(request.lease))
        // Nobody waits for the others' writes where there is nothing to do.
        let condition = "kind = ? AND is_open AND leased_until <= ? AND expires > ?"
        let isWork = try await read { database in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM document WHERE \(condition))",
                arguments: [request.kind, free, now])
        }
        guard isWork == true else { return Wire.ClaimStateReply() }
        return try await write { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT * FROM document WHERE \(condition) ORDER BY number LIMIT ?",
                arguments: [request.kind, free, now, min(request.limit, Self.listLimit)])
            for row in rows {
                let number: Int64 = row["number"]
                try database.execute(
                    sql: "UPDATE document SET worker = ?, leased_until = ? WHERE number = ?",
                    arguments: [request.worker, until, number])
            }
            return Wire.ClaimStateReply(documents: rows.map(Self.document))
        }
    }

    package func update(_ request: Wire.UpdateStateRequest) async throws -> Wire.UpdateStateReply {
        let until = request.lease > .zero ? Self.leaseEnd(request.lease) : 0
        return try await write { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT number, entries, worker, is_open FROM document WHERE kind = ? AND id = ?",
                arguments: [request.kind, request.id])
            guard let row else { return Wire.UpdateStateReply(isMade: false) }
            let (number, entries): (Int64, Int) = (row["number"], row["entries"])
            let (worker, isOpen): (String, Bool) = (row["worker"], row["is_open"])
            guard request.worker.isEmpty || request.worker == worker, isOpen || !request.requiresOpen,
                request.entries.isEmpty || request.firstEntry == entries
            else { return Wire.UpdateStateReply(isMade: false) }
            for (index, bytes) in request.entries.enumerated() {
                try database.execute(
                    sql: "INSERT INTO entry (document, number, bytes) VALUES (?, ?, ?)",
                    arguments: [number, entries + index, Data(bytes)])
            }
            try database.execute(
                sql: """
                    UPDATE document SET body = coalesce(?, body), is_open = coalesce(?, is_open),
                      outcome = coalesce(?, outcome), expires = coalesce(?, expires), entries = entries + ?,
                      leased_until = CASE WHEN ? = '' THEN leased_until ELSE ? END WHERE number = ?
                    """,
                arguments: [
                    request.body.map { Data($0) }, request.isOpen, request.outcome, request.expires,
                    request.entries.count, request.worker, until, number,
                ])
            return Wire.UpdateStateReply(isMade: true)
        }
    }

    package func delete(_ request: Wire.DeleteStateRequest) async throws -> Wire.DeleteStateReply {
        try await write { database in
            let number = try Int64.fetchOne(
                database, sql: "SELECT number FROM document WHERE kind = ? AND id = ?",
                arguments: [request.kind, request.id])
            guard let number else { return Wire.DeleteStateReply(wasThere: false) }
            try Self.remove("number = ? OR (parent = ? AND parent <> '')", [number, request.id], from: database)
            return Wire.DeleteStateReply(wasThere: true)
        }
    }

    /// Removes documents whose time has passed, and of those without work the earliest, beyond a number of them.
    ///
    /// - Parameter limit: how many of the latest are kept in any case.
    package func removeExpired(limit: Int = 1_000_000) async throws {
        let now = Self.now
        let page = 1_000
        var removed = page
        // Others write in between.
        while removed == page {
            removed = try await write { database in
                let old = """
                    number IN (SELECT number FROM document WHERE expires <= ? OR
                      (NOT is_open AND number <= (SELECT max(number) FROM document) - ?) LIMIT \(page))
                    """
                try Self.remove(old, [now, limit], from: database)
                return database.changesCount
            }
        }
    }

    private static func remove(_ condition: String, _ arguments: StatementArguments, from database: Database) throws {
        try database.execute(
            sql: "DELETE FROM entry WHERE document IN (SELECT number FROM document WHERE \(condition))",
            arguments: arguments)
        try database.execute(sql: "DELETE FROM document WHERE \(condition)", arguments: arguments)
    }
}

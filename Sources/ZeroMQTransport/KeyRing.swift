internal import Foundation
internal import RPC
internal import ZeroMQ

/// The keys of a whole system, a directory each: `DIR/NAME/bus.key` and, the same for all, `DIR/NAME/allowed.keys`.
package struct KeyRing: Sendable {
    package let directory: String

    package init(directory: String) {
        self.directory = directory
    }

    /// What became of a name.
    package struct Change: Sendable, Equatable {
        package enum Kind: Sendable { case made, kept, revoked }

        package let name: String
        package let kind: Kind
    }

    /// Makes the key pairs that are missing, takes the revoked ones away, and writes all lists anew. Lines that were
    /// added to a list by hand stay.
    /// - Throws: `RPCError`, when something cannot be read or written; what was written before is good.
    package func update(_ names: [String], revoking revoked: [String] = []) throws -> [Change] {
        for name in names + revoked where !KeyList.isName(name) || name.contains("/") {
            throw RPCError(
                .invalidArgument, "'\(name)' is no name: letters, digits, '-', '.' and '_'", reason: "invalid_name")
        }
        let files = FileManager.default
        try writing(directory) { try files.createDirectory(atPath: directory, withIntermediateDirectories: true) }
        let existing = try writing(directory) { try files.contentsOfDirectory(atPath: directory) }
            .filter { files.fileExists(atPath: path($0, KeyFile.name)) }
        var list = try Self.merged(existing.map { path($0, KeyList.name) })
        var changes: [Change] = []
        for name in revoked {
            let key = try? KeyFile.read(path(name, KeyFile.name)).1.publicKey
            let known = list.removeValue(forKey: name)
            // By whatever other name.
            list = list.filter { $0.value != key && $0.value != known }
            try? files.removeItem(atPath: path(name, KeyFile.name))
            changes.append(Change(name: name, kind: .revoked))
        }
        for name in Set(existing + names).subtracting(revoked).sorted() {
            let isThere = existing.contains(name)
            let pair = try isThere ? KeyFile.read(path(name, KeyFile.name)).1 : make(name)
            list[name] = pair.publicKey
            changes.append(Change(name: name, kind: isThere ? .kept : .made))
        }
        for name in Set(existing + names).subtracting(revoked) {
            try write(list, of: name)
        }
        // The holder of a revoked key's folder sees a list without itself.
        for name in revoked where files.fileExists(atPath: path(name, KeyList.name)) {
            try write(list, of: name)
        }
        return changes
    }

    private func path(_ name: String, _ file: String) -> String { "\(directory)/\(name)/\(file)" }

    /// - Throws: `RPCError` when a list is malformed: it is not thrown away silently.
    private static func merged(_ lists: [String]) throws -> BusKeys.List {
        var merged: BusKeys.List = [:]
        for path in lists where FileManager.default.fileExists(atPath: path) {
            merged.merge(try KeyList.read(path)) { first, _ in first }
        }
        return merged
    }

    private func make(_ name: String) throws -> CurveKeyPair {
        let pair: CurveKeyPair
        do {
            pair = try CurveKeyPair()
        } catch {
            throw RPCError(.unimplemented, "\(error): libzmq was built without CURVE", reason: "no_curve")
        }
        let folder = "\(directory)/\(name)"
        try writing(folder) {
            // An existing one, such as a volume's, keeps its permissions.
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        try write(pair, of: name)
        return pair
    }

    /// Writes a key pair whole and readable by its owner alone.
    private func write(_ pair: CurveKeyPair, of name: String) throws {
        let path = path(name, KeyFile.name)
        let temporary = path + ".new"
        let files = FileManager.default
        try writing(path) {
            try? files.removeItem(atPath: temporary)
            guard files.createFile(atPath: temporary, contents: nil, attributes: [.posixPermissions: 0o600]) else {
                throw CocoaError(.fileWriteNoPermission)
            }
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: temporary))
            try file.write(contentsOf: Data(KeyFile.text(name, pair).utf8))
            try file.close()
            try files.moveItem(atPath: temporary, toPath: path)
        }
    }

    private func write(_ list: BusKeys.List, of name: String) throws {
        let path = path(name, KeyList.name)
        try writing(path) {
            try Data(KeyList.text(list).utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        }
    }

    private func writing<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as RPCError {
            throw error
        } catch {
            throw RPCError(.permissionDenied, "cannot write \(path): \(error.localizedDescription)", field: path)
        }
    }
}

import Accounts
import Foundation
import JSON
import Messages
import RPC
import StateKeeping

/// The documents of one kind that belong to clients, with errors in the clients' terms.
struct StateDocuments: Sendable {
    /// What documents are called in the API, e.g. `response`.
    let kind: String
    let source: any StateSource

    /// How long documents are kept from when they were last used: OpenAI's time for responses.
    static let lifetime: Int64 = 30 * 86_400

    static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    /// - Parameter firstEntry: of the entries of its log that come along, up to a few MiB; nil for none.
    /// - Returns: nil where there is none, or it is another key's.
    /// - Throws: `APIError`.
    func find(_ id: String, of account: Account?, firstEntry: Int? = nil) async throws -> Wire.FindStateReply? {
        let reply = try await Self.told {
            try await source.find(Wire.FindStateRequest(kind: kind, id: id, firstEntry: firstEntry))
        }
        guard let document = reply.document, document.key == account?.id else { return nil }
        return reply
    }

    /// - Throws: `APIError`, 404 where there is none, or it is another key's.
    func document(_ id: String, of account: Account?) async throws -> Wire.StateDocument {
        guard let document = try await find(id, of: account)?.document else { throw notFound(id) }
        return document
    }

    func notFound(_ id: String) -> APIError { Self.notFound(id, kind) }

    static func notFound(_ id: String, _ kind: String) -> APIError {
        APIError(
            status: .notFound, message: "There is no \(kind) '\(id.prefix(100))' here; it may have been deleted.",
            type: "invalid_request_error", code: "not_found")
    }

    /// Takes on open documents that nobody works on.
    ///
    /// - Throws: `RPCError`.
    func claim(limit: Int, by worker: String) async throws -> [Wire.StateDocument] {
        let request = Wire.ClaimStateRequest(kind: kind, worker: worker, limit: limit, lease: WorkLog.lease)
        return try await source.claim(request).documents
    }

    /// - Throws: `APIError`.
    func put(_ documents: [Wire.StateDocument]) async throws {
        _ = try await Self.told { try await source.put(Wire.PutStateRequest(documents: documents)) }
    }

    /// - Returns: whether the change was made.
    /// - Throws: `APIError`.
    func update(_ id: String, _ fill: (inout Wire.UpdateStateRequest) -> Void) async throws -> Bool {
        var request = Wire.UpdateStateRequest(kind: kind, id: id)
        fill(&request)
        return try await Self.told { [request] in try await source.update(request) }.isMade
    }

    /// - Throws: `APIError`, 404 where there is none, or it is another key's.
    func delete(_ id: String, of account: Account?) async throws {
        _ = try await document(id, of: account)
        _ = try await Self.told { try await source.delete(Wire.DeleteStateRequest(kind: kind, id: id)) }
    }

    /// Documents in OpenAI's pages.
    ///
    /// - Parameter parent: whose parts they are; empty for all of the account's.
    /// - Returns: the documents, and whether more follow.
    /// - Throws: `APIError`.
    func page(
        _ query: ListQuery, of account: Account?, parent: String = ""
    ) async throws -> (documents: [Wire.StateDocument], hasMore: Bool) {
        var after: Int?
        if let id = query.after { after = try await document(id, of: account).number }
        let request = Wire.ListStateRequest(
            kind: kind, key: account?.id, parent: parent, after: after, latestFirst: query.isLatestFirst,
            limit: query.limit + 1)
        let documents = try await Self.told { try await source.list(request) }.documents
            .filter { $0.key == account?.id }
        return (Array(documents.prefix(query.limit)), documents.count > query.limit)
    }

    static func told<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as RPCError {
            throw APIError(
                status: .serviceUnavailable, message: "What the gateway keeps cannot be reached now: \(error.message)",
                type: "server_error", code: "state_unavailable", retryAfter: 1)
        }
    }
}

extension Wire.StateDocument {
    /// The body, as the gateway has written it.
    var json: JSONValue { (try? JSONParser.parse(body)) ?? .null }
}

extension JSONValue {
    /// What an encodable value is in JSON.
    init(encoding value: some Encodable) throws {
        self = try JSONParser.parse([UInt8](try JSONResponse.encoded(value)))
    }

    /// The object with these members set; those that are nil are left out.
    func setting(_ members: [(key: String, value: JSONValue?)]) -> JSONValue {
        guard case .object(let object) = self else { return self }
        var kept = object.members
        for (key, value) in members {
            let index = kept.firstIndex { $0.key == key }
            switch (index, value) {
            case (let index?, let value?): kept[index].value = value
            case (let index?, nil): kept.remove(at: index)
            case (nil, let value?): kept.append((key, value))
            case (nil, nil): break
            }
        }
        return .object(JSONObject(kept))
    }
}

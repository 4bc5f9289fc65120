import Accounts
import Foundation
import JSON
import Messages
import RPC

/// Files that clients have sent, or that batches have written.
///
/// A file's bytes are the log of an *upload*, in pieces of a MiB. The file itself, what clients see, follows once all of
/// them are there.
struct FileStore: Sendable {
    /// OpenAI's file object.
    struct Object: Codable, Sendable {
        var id: String
        var object = "file"
        var bytes: Int
        var created_at: Int64
        var expires_at: Int64?
        var filename: String
        var purpose: String
        var status = "processed"
    }

    let files: StateDocuments
    let uploads: StateDocuments

    /// Bytes of a file, at most.
    static let sizeLimit = 512 << 20
    /// Bytes of all files that a key keeps, at most, and their number.
    static let totalLimit = 16 << 30
    static let countLimit = 10_000
    static let pieceSize = 1 << 20
    /// Seconds after which an upload that was not completed goes.
    private static let uploadLifetime: Int64 = 3_600

    /// A file that is being written.
    struct Writer: Sendable {
        fileprivate let store: FileStore
        let id: String
        fileprivate let account: Int64?
        private(set) var size = 0
        /// Bytes that there is room for; nil for what a batch writes, which is not lost for want of it.
        fileprivate var room: Int?
        private var pending: [UInt8] = []
        private var pieces = 0

        fileprivate init(store: FileStore, id: String, account: Int64?) {
            (self.store, self.id, self.account) = (store, id, account)
        }

        fileprivate var upload: String { "upload-" + id.dropFirst(5) }

        /// - Throws: `APIError`: the file is too large, or cannot be kept.
        mutating func write(_ bytes: some Collection<UInt8>) async throws {
            size += bytes.count
            guard size <= FileStore.sizeLimit else {
                throw APIError(
                    status: .contentTooLarge,
                    message: "A file has \(FileStore.sizeLimit) bytes at most.", type: "invalid_request_error",
                    parameter: "file", code: "file_too_large")
            }
            if let room, size > room { throw FileStore.isFull("\(FileStore.totalLimit >> 30) GiB") }
            pending += bytes
            while pending.count >= FileStore.pieceSize { try await writePiece() }
        }

        private mutating func writePiece() async throws {
            let piece = Array(pending.prefix(FileStore.pieceSize))
            pending.removeFirst(piece.count)
            let number = pieces
            let isMade = try await store.uploads.update(upload) {
                ($0.entries, $0.firstEntry) = ([piece], number)
            }
            guard isMade else { throw store.uploads.notFound(upload) }
            pieces += 1
        }

        /// All of the file has been written.
        ///
        /// - Throws: `APIError`.
        mutating func end(name: String, purpose: String, lifetime: Int64?) async throws -> Object {
            if !pending.isEmpty { try await writePiece() }
            let now = StateDocuments.now
            let expires = lifetime.map { now + $0 }
            // What has no end of its own stays as long as it is used, and a year.
            let kept = expires ?? now + 365 * 86_400
            let file = Object(
                id: id, bytes: size, created_at: now, expires_at: expires, filename: name, purpose: purpose)
            _ = try await store.uploads.update(upload) { $0.expires = kept }
            try await store.files.put([
                Wire.StateDocument(
                    kind: store.files.kind, id: id, key: account, parent: purpose,
                    body: Array(try JSONResponse.encoded(file)), created: now, expires: kept)
            ])
            return file
        }

        /// The file is not to be.
        func giveUp() async { _ = try? await store.uploads.source.delete(.init(kind: store.uploads.kind, id: upload)) }
    }

    /// Begins a file; one of the same id that was begun before is written anew.
    ///
    /// - Throws: `APIError`.
    func writer(id: String? = nil, of account: Int64?) async throws -> Writer {
        let id = id ?? "file-" + ServiceDescription.newInstanceID()
        let writer = Writer(store: self, id: id, account: account)
        _ = try await StateDocuments.told {
            try await uploads.source.delete(.init(kind: uploads.kind, id: writer.upload))
        }
        try await uploads.put([
            Wire.StateDocument(
                kind: uploads.kind, id: writer.upload, key: account, parent: id,
                expires: StateDocuments.now + Self.uploadLifetime)
        ])
        return writer
    }

    /// Begins a file of a client's.
    ///
    /// - Throws: `APIError`, 413 where the key keeps as much as it may.
    func clientWriter(of account: Account?) async throws -> Writer {
        var (count, size, after) = (0, 0, Int?.none)
        while true {
            let request = Wire.ListStateRequest(
                kind: files.kind, key: account?.id, after: after, latestFirst: false, limit: 1_000)
            let page = try await StateDocuments.told { try await files.source.list(request) }.documents
            for document in page where document.key == account?.id {
                count += 1
                size += try Self.object(document).bytes
            }
            guard let last = page.last else { break }
            after = last.number
        }
        guard count < Self.countLimit else { throw Self.isFull("\(Self.countLimit) files") }
        guard size < Self.totalLimit else { throw Self.isFull("\(Self.totalLimit >> 30) GiB") }
        var writer = try await writer(of: account?.id)
        writer.room = Self.totalLimit - size
        return writer
    }

    private static func isFull(_ limit: String) -> APIError {
        APIError(
            status: .contentTooLarge, message: "Your files have \(limit) together, at most; delete some first.",
            type: "invalid_request_error", parameter: "file", code: "file_storage_full")
    }

    /// - Throws: `APIError`, 404 where there is none, or it is another key's.
    func object(_ id: String, of account: Account?) async throws -> Object {
        try Self.object(try await files.document(id, of: account))
    }

    static func object(_ document: Wire.StateDocument) throws -> Object {
        try JSONDecoder().decode(Object.self, from: Data(document.body))
    }

    /// The pieces of a file from one on: several, and none behind the last.
    ///
    /// - Throws: `APIError`.
    func pieces(of id: String, from number: Int) async throws -> [[UInt8]] {
        let upload = "upload-" + id.dropFirst(5)
        let request = Wire.FindStateRequest(kind: uploads.kind, id: upload, firstEntry: number)
        return try await StateDocuments.told { try await uploads.source.find(request) }.entries
    }
}

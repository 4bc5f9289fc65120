import Accounts
import Foundation
import Hummingbird
import Messages
import NIOCore

/// `/v1/files`: what clients send for batches and training, and what batches write.
struct FilesRoutes: RouteGroup {
    let keys: Authenticator
    let admission: Admission
    /// nil where nothing is kept.
    let store: FileStore?

    /// What files are for.
    private static let purposes = ["batch", "fine-tune", "user_data", "evals"]
    /// Bytes of a form's field, at most.
    private static let fieldLimit = 1 << 10
    private static let lifetimes: ClosedRange<Int64> = 3_600...2_592_000

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/files") { request, _ in try await upload(request) }
        router.get("/v1/files") { request, _ in try await list(request) }
        router.get("/v1/files/:id") { request, context in
            let account = try await keys.account(of: request)
            return try JSONResponse.make(try await files().object(try context.parameters.require("id"), of: account))
        }
        router.delete("/v1/files/:id") { request, context in
            let (id, account) = (try context.parameters.require("id"), try await keys.account(of: request))
            try await files().files.delete(id, of: account)
            return try JSONResponse.make(DeletionObject(id: id, object: "file"))
        }
        router.get("/v1/files/:id/content") { request, context in
            try await content(request, try context.parameters.require("id"))
        }
    }

    private func files() throws -> FileStore {
        guard let store else { throw APIError.nothingKept("files") }
        return store
    }

    private func list(_ request: Request) async throws -> Response {
        let store = try files()
        let account = try await keys.account(of: request)
        let purpose = request.uri.queryParameters["purpose"].map(String.init) ?? ""
        let query = try ListQuery(request, limits: 1...1_000, standard: 1_000)
        let (documents, hasMore) = try await store.files.page(query, of: account, parent: purpose)
        return try JSONResponse.make(
            ListObject(
                data: try documents.map { try FileStore.object($0) }, first_id: documents.first?.id,
                last_id: documents.last?.id, has_more: hasMore))
    }

    private func content(_ request: Request, _ id: String) async throws -> Response {
        let store = try files()
        let account = try await keys.account(of: request)
        let file = try await store.object(id, of: account)
        var headers: HTTPFields = [.contentType: "application/octet-stream"]
        let name = file.filename.filter { $0.isASCII && !"\"\\".contains($0) && !$0.isNewline }
        headers[.contentDisposition] = "attachment; filename=\"\(name)\""
        let body = ResponseBody(contentLength: file.bytes) { writer in
            var number = 0
            while true {
                let pieces = try await store.pieces(of: id, from: number)
                if pieces.isEmpty { break }
                for piece in pieces { try await writer.write(ByteBuffer(bytes: piece)) }
                number += pieces.count
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// What has come of a form so far.
    private struct Form {
        var fields: [String: [UInt8]] = [:]
        var fileName: String?
        /// The part that is being read: a field's name; nil for the file.
        var field: String?
    }

    private func upload(_ request: Request) async throws -> Response {
        let store = try files()
        let account = try await keys.account(of: request)
        let ticket = try admission.enter(bytes: 2 * FileStore.pieceSize)
        defer { admission.leave(ticket) }
        var reader = try MultipartReader(contentType: request.headers[.contentType])
        var writer = try await store.clientWriter(of: account)
        do {
            var form = Form()
            for try await buffer in request.body {
                for event in try reader.read(buffer.readableBytesView) { try await take(event, &form, &writer) }
            }
            guard reader.isComplete else { throw MultipartReader.broken("it ends before its last boundary") }
            return try JSONResponse.make(try await end(form, &writer))
        } catch {
            await writer.giveUp()
            throw error
        }
    }

    private func take(_ event: MultipartReader.Event, _ form: inout Form, _ writer: inout FileStore.Writer) async throws
    {
        switch event {
        case .part("file", let fileName):
            guard form.fileName == nil else {
                throw APIError.invalidRequest("The form has two files; send one at a time.", parameter: "file")
            }
            (form.fileName, form.field) = (fileName ?? "file", nil)
        case .part(let name, _):
            guard ["purpose", "expires_after[anchor]", "expires_after[seconds]"].contains(name) else {
                throw APIError.invalidRequest("'\(name.prefix(100))' is no field of a file's form.", parameter: name)
            }
            (form.field, form.fields[name]) = (name, [])
        case .bytes(let bytes):
            guard let field = form.field else { return try await writer.write(bytes) }
            form.fields[field, default: []] += bytes
            guard form.fields[field]?.count ?? 0 <= Self.fieldLimit else {
                throw APIError.invalidRequest(
                    "'\(field)' has more than \(Self.fieldLimit) bytes.", parameter: field)
            }
        }
    }

    private func end(_ form: Form, _ writer: inout FileStore.Writer) async throws -> FileStore.Object {
        func text(_ name: String) throws -> String? {
            try form.fields[name].map { bytes in
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw APIError.invalidRequest("'\(name)' is no UTF-8.", parameter: name)
                }
                return text
            }
        }
        guard let name = form.fileName else {
            throw APIError.invalidRequest("The form has no 'file'.", parameter: "file")
        }
        guard let purpose = try text("purpose"), Self.purposes.contains(purpose) else {
            throw APIError.invalidRequest(
                "'purpose' is one of \(Self.purposes.joined(separator: ", ")).", parameter: "purpose")
        }
        if let anchor = try text("expires_after[anchor]"), anchor != "created_at" {
            throw APIError.invalidRequest(
                "'expires_after[anchor]' is created_at.", parameter: "expires_after[anchor]")
        }
        var lifetime: Int64?
        if let seconds = try text("expires_after[seconds]") {
            guard let number = Int64(seconds), Self.lifetimes.contains(number) else {
                throw APIError.invalidRequest(
                    "'expires_after[seconds]' is a number from \(Self.lifetimes.lowerBound) to "
                        + "\(Self.lifetimes.upperBound).", parameter: "expires_after[seconds]")
            }
            lifetime = number
        }
        return try await writer.end(name: String(name.prefix(500)), purpose: purpose, lifetime: lifetime)
    }
}

extension APIError {
    /// Something that only a gateway with a state file has.
    static func nothingKept(_ what: String) -> APIError {
        APIError(
            status: .notImplemented,
            message: "This gateway keeps no \(what): it was started without --state FILE or --accounts FILE.",
            type: "invalid_request_error", code: "no_state")
    }
}

import Crypto
import Foundation
import Hummingbird
import Synchronization

/// A hub for tests: what `huggingface_hub` documents of the HTTP API, in front of repositories in memory, and a second
/// address to which it sends on for large files. That package's own client runs against it too (`HubClientTests`).
final class HubServer: Sendable {
    struct Repository: Sendable {
        var commit: String
        /// Branches and tags beside `main`.
        var refs: [String: String] = [:]
        var files: [String: [UInt8]]
        /// Where a token is needed, which one; without any, the repository does not exist for the asker.
        var token: String?
        /// Whether the terms have not been accepted.
        var isGated = false

        init(_ files: [String: [UInt8]]) {
            self.files = files
            commit = hexadecimal(
                Insecure.SHA1.hash(
                    data: Data(files.sorted { $0.key < $1.key }.flatMap { Array($0.key.utf8) + $0.value })))
        }
    }

    /// What a request gets in the place of its answer.
    enum Fault: Sendable {
        case status(Int, [String: String] = [:])
        /// The connection breaks after so many bytes of the body.
        case breakOff(after: Int)
        /// The body is another one of the same length.
        case corrupt
        /// Bytes more than there are, without a length.
        case endless
        /// The range is not looked at.
        case noRanges
        /// Another body altogether.
        case body(String)
    }

    struct Request: Sendable {
        var isStore: Bool
        var method: String
        var path: String
        var authorization: String?
        var range: String?
    }

    private struct State {
        var repositories: [String: Repository] = [:]
        var faults: [(path: String, fault: Fault, times: Int)] = []
        var requests: [Request] = []
        var port = 0
        var storePort = 0
        /// Where the hub says that the store is; nil for its port.
        var storeAddress: String?
    }

    /// Files that Git LFS has: those that are large, and weights.
    static func isLarge(_ path: String, _ content: [UInt8]) -> Bool {
        content.count > 20_000 || path.hasSuffix(".safetensors") || path.hasSuffix(".gguf")
    }

    private let state = Mutex(State())
    private let pageSize: Int

    init(_ repositories: [String: Repository], pageSize: Int = 1_000) {
        self.pageSize = pageSize
        state.withLock { $0.repositories = repositories }
    }

    var address: String { "http://127.0.0.1:\(state.withLock { $0.port })" }
    var requests: [Request] { state.withLock { $0.requests } }
    var ports: (hub: Int, store: Int) { state.withLock { ($0.port, $0.storePort) } }

    func sendOn(toStoreAt address: String) { state.withLock { $0.storeAddress = address } }

    /// The next `times` requests whose path holds `path` fail so.
    func fail(_ path: String, _ fault: Fault, times: Int = 1) {
        state.withLock { $0.faults.append((path, fault, times)) }
    }

    func change(_ repository: String, _ body: (inout Repository) -> Void) {
        state.withLock { state in
            var changed = state.repositories[repository] ?? Repository([:])
            body(&changed)
            state.repositories[repository] = changed
        }
    }

    /// Serves for the time of `body`.
    func run<Result: Sendable>(_ body: @Sendable @escaping (HubServer) async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            for isStore in [false, true] {
                let (ports, running) = AsyncStream<Int>.makeStream()
                let application = Application(
                    responder: CallbackResponder<BasicRequestContext> { [self] request, _ in
                        answer(request, isStore: isStore)
                    },
                    configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                    onServerRunning: { running.yield($0.localAddress?.port ?? 0) })
                group.addTask { try await application.run() }
                var iterator = ports.makeAsyncIterator()
                let port = await iterator.next() ?? 0
                state.withLock { if isStore { $0.storePort = port } else { $0.port = port } }
            }
            return try await body(self)
        }
    }

    // MARK: Answers

    private func answer(_ request: Hummingbird.Request, isStore: Bool) -> Response {
        let path = request.uri.path.removingPercentEncoding ?? ""
        let whole = request.uri.path + (request.uri.query.map { "?" + $0 } ?? "")
        let (fault, repositories) = state.withLock { state -> (Fault?, [String: Repository]) in
            state.requests.append(
                Request(
                    isStore: isStore, method: request.method.rawValue, path: whole,
                    authorization: request.headers[.authorization], range: request.headers[.range]))
            guard let index = state.faults.firstIndex(where: { whole.contains($0.path) && $0.times > 0 }) else {
                return (nil, state.repositories)
            }
            state.faults[index].times -= 1
            return (state.faults[index].fault, state.repositories)
        }
        if case .status(let code, let fields)? = fault {
            return error(code, fields.map { ($0.key, $0.value) })
        }
        if case .body(let text)? = fault { return json(text) }
        if isStore { return stored(path, request, fault, repositories) }
        let parts = path.split(separator: "/").map { String($0) }
        if parts.starts(with: ["api", "models"]), parts.count >= 4 {
            return api(parts, request, repositories["\(parts[2])/\(parts[3])"])
        }
        if parts.starts(with: ["api", "resolve-cache"]), parts.count >= 7 {
            let file = parts.dropFirst(6).joined(separator: "/")
            guard let content = repositories["\(parts[3])/\(parts[4])"]?.files[file] else { return error(404) }
            // A client that has followed here looks for the commit here.
            var response = body(content, request, fault, etag: gitHash(content))
            response.headers[HTTPFields.Element.Name("X-Repo-Commit")!] = parts[5]
            return response
        }
        guard parts.count >= 5, parts[2] == "resolve" else { return error(404) }
        return resolve(parts, request, repositories["\(parts[0])/\(parts[1])"])
    }

    /// What refuses the asker; nil where nothing does.
    private func refusal(_ request: Hummingbird.Request, _ repository: Repository?) -> Response? {
        let token = request.headers[.authorization]
        guard let repository, repository.token == nil || token == "Bearer \(repository.token ?? "")" else {
            return error(
                401, [("X-Error-Code", "RepoNotFound"), ("X-Error-Message", "Invalid username or password.")])
        }
        return repository.isGated
            ? error(403, [("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Access to this model is restricted.")])
            : nil
    }

    private func commit(_ revision: String, _ repository: Repository) -> String? {
        revision == "main" || revision == repository.commit ? repository.commit : repository.refs[revision]
    }

    private func api(_ parts: [String], _ request: Hummingbird.Request, _ repository: Repository?) -> Response {
        if let refusal = refusal(request, repository) { return refusal }
        guard let repository else { return error(404) }
        let id = "\(parts[2])/\(parts[3])"
        let revision = parts.count > 5 ? parts.dropFirst(5).joined(separator: "/") : "main"
        guard let commit = commit(revision, repository) else {
            return error(404, [("X-Error-Code", "RevisionNotFound")])
        }
        let files = repository.files.sorted { $0.key < $1.key }
        guard parts.count > 4, parts[4] == "tree" else {
            let hasBlobs =
                request.uri.queryParameters["blobs"] == "true" || request.uri.queryParameters["blobs"] == "True"
            let siblings = files.map { path, content in
                let large =
                    Self.isLarge(path, content)
                    ? #","lfs":{"sha256":"\#(sha256(content))","size":\#(content.count),"pointerSize":134}"# : ""
                let blob = #","size":\#(content.count),"blobId":"\#(gitHash(content))"\#(large)"#
                return #"{"rfilename":"\#(path)"\#(hasBlobs ? blob : "")}"#
            }
            return json(
                #"{"_id":"1","id":"\#(id)","modelId":"\#(id)","sha":"\#(commit)","private":false,"gated":false,"#
                    + #""disabled":false,"tags":[],"downloads":1,"likes":0,"siblings":[\#(siblings.joined(separator: ","))]}"#
            )
        }
        let start = request.uri.queryParameters["cursor"].flatMap { Int($0) } ?? 0
        var entries: [String] = []
        for folder in Set(files.flatMap { path, _ in path.split(separator: "/").dropLast().map { String($0) } })
            .sorted()
        {
            if start == 0 {
                entries.append(#"{"type":"directory","oid":"\#(gitHash([]))","size":0,"path":"\#(folder)"}"#)
            }
        }
        let page = files.dropFirst(start).prefix(pageSize)
        entries += page.map { path, content in
            let large =
                Self.isLarge(path, content)
                ? #","lfs":{"oid":"\#(sha256(content))","size":\#(content.count),"pointerSize":134}"# : ""
            return #"{"type":"file","oid":"\#(gitHash(content))","size":\#(content.count),"path":"\#(path)"\#(large)}"#
        }
        var response = json("[" + entries.joined(separator: ",") + "]")
        if start + page.count < files.count {
            let next = "\(address)\(request.uri.path)?recursive=true&cursor=\(start + page.count)"
            response.headers[HTTPFields.Element.Name("Link")!] = "<\(next)>; rel=\"next\""
        }
        return response
    }

    private func resolve(_ parts: [String], _ request: Hummingbird.Request, _ repository: Repository?) -> Response {
        if let refusal = refusal(request, repository) { return refusal }
        guard let repository, let commit = commit(parts[3], repository) else {
            return error(404, [("X-Error-Code", "RevisionNotFound")])
        }
        let path = parts.dropFirst(4).joined(separator: "/")
        guard let content = repository.files[path] else {
            return error(404, [("X-Error-Code", "EntryNotFound"), ("X-Repo-Commit", commit)])
        }
        var fields: [(String, String)] = [("X-Repo-Commit", commit), ("Access-Control-Expose-Headers", "*")]
        if Self.isLarge(path, content) {
            let store = state.withLock { $0.storeAddress ?? "http://localhost:\($0.storePort)" }
            let hash = sha256(content)
            fields += [
                ("Location", "\(store)/blobs/\(hash)?X-Amz-Signature=s3cret"),
                ("X-Linked-Etag", "\"\(hash)\""), ("X-Linked-Size", "\(content.count)"),
            ]
            return error(302, fields)
        }
        fields += [
            ("Location", "/api/resolve-cache/models/\(parts[0])/\(parts[1])/\(commit)/\(path)"),
            ("X-Linked-Etag", "\"\(gitHash(content))\""), ("X-Linked-Size", "\(content.count)"),
        ]
        return error(307, fields)
    }

    private func stored(
        _ path: String, _ request: Hummingbird.Request, _ fault: Fault?, _ repositories: [String: Repository]
    ) -> Response {
        // As S3 does: it has been told who asks by the address's signature, and takes no second word for it.
        guard request.headers[.authorization] == nil else { return error(400) }
        let hash = path.split(separator: "/").last.map { String($0) } ?? ""
        let all = repositories.values.flatMap { $0.files.values }
        guard let content = all.first(where: { sha256($0) == hash }) else { return error(404) }
        return body(content, request, fault, etag: hash)
    }

    /// A content, or the range of it that is asked for.
    private func body(_ content: [UInt8], _ request: Hummingbird.Request, _ fault: Fault?, etag: String) -> Response {
        var bytes = content[...]
        var headers: HTTPFields = [.eTag: "\"\(etag)\"", .acceptRanges: "bytes"]
        var status = HTTPResponse.Status.ok
        var ignoresRange = false
        if case .noRanges? = fault { ignoresRange = true }
        if !ignoresRange, let range = request.headers[.range]?.dropFirst("bytes=".count) {
            let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            let first = ends.first.flatMap { $0 } ?? 0
            guard first < content.count else { return error(416) }
            let last = min(content.count - 1, ends.last.flatMap { $0 } ?? content.count - 1)
            bytes = content[first...last]
            status = .partialContent
            headers[.contentRange] = "bytes \(first)-\(last)/\(content.count)"
        }
        let sent = Array(bytes)
        if request.method == .head {
            return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: sent)))
                .createHeadResponse()
        }
        switch fault {
        case .corrupt?:
            return Response(
                status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: sent.map { $0 ^ 1 })))
        case .breakOff(let count)?:
            return Response(
                status: status, headers: headers,
                body: .init(contentLength: sent.count) { writer in
                    try await writer.write(ByteBuffer(bytes: sent.prefix(count)))
                    // What is on its way shall arrive.
                    try await Task.sleep(for: .milliseconds(20))
                    throw HTTPError(.internalServerError)
                })
        case .endless?:
            return Response(
                status: status, headers: headers,
                body: .init { writer in
                    while true { try await writer.write(ByteBuffer(bytes: sent + [0])) }
                })
        default:
            return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: sent)))
        }
    }

    private func json(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private func error(_ code: Int, _ fields: [(String, String)] = []) -> Response {
        var headers = HTTPFields()
        for (name, value) in fields { if let name = HTTPFields.Element.Name(name) { headers[name] = value } }
        return Response(status: .init(code: code), headers: headers, body: .init())
    }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
}

func sha256(_ content: [UInt8]) -> String { hexadecimal(SHA256.hash(data: content)) }

/// As `git hash-object` has it.
func gitHash(_ content: [UInt8]) -> String {
    hexadecimal(Insecure.SHA1.hash(data: Array("blob \(content.count)\0".utf8) + content))
}

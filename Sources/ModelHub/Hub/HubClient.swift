internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1

/// Questions to the hub's HTTP API (https://huggingface.co/docs/hub/api).
struct HubClient: Sendable {
    /// Bytes of an answer about a repository, a page of files among them.
    private static let answerLimit = 16 << 20
    private static let pageLimit = 1_000

    let transport: HubTransport

    private var settings: HubSettings { transport.settings }

    /// The commit that the reference's revision is now.
    func commit(of reference: HubReference) async throws -> String {
        if HubReference.isCommit(reference.revision) { return reference.revision }
        let url = "\(settings.endpoint)/api/models/\(reference.repository)/revision/\(Self.escaped(reference.revision))"
        let (body, _) = try await answer(url, named(reference))
        return try HubAnswer.commit(body)
    }

    /// All files of a repository at one commit.
    func files(of reference: HubReference, at commit: String) async throws -> [HubFile] {
        let url = "\(settings.endpoint)/api/models/\(reference.repository)/tree/\(commit)"
        var query = "recursive=true"
        var files: [HubFile] = []
        var paths: Set<String> = []
        for _ in 0..<Self.pageLimit {
            let (body, link) = try await answer(url + "?" + query, named(reference))
            for file in try HubAnswer.files(body) {
                guard paths.insert(file.path).inserted, paths.count <= HubAnswer.fileLimit else {
                    throw HubError(
                        .malformed,
                        "the hub's list of the files of \(reference.repository) names '\(file.path)' twice, or "
                            + "more than \(HubAnswer.fileLimit) files")
                }
                files.append(file)
            }
            // Only the query: a mirror's next page is the mirror's too.
            guard let next = link.flatMap(HubAnswer.nextQuery) else { return files }
            query = next
        }
        throw HubError(.malformed, "the hub's list of the files of \(reference.repository) has no end")
    }

    /// Where a file's content is.
    func address(of file: HubFile, in reference: HubReference, at commit: String) -> String {
        let path = file.path.unicodeScalars.split(separator: "/").map { Self.escaped(String($0)) }.joined(
            separator: "/")
        return "\(settings.endpoint)/\(reference.repository)/resolve/\(commit)/\(path)"
    }

    private func named(_ reference: HubReference) -> String {
        reference.revision == HubReference.standardRevision
            ? reference.repository : "\(reference.repository)@\(reference.revision)"
    }

    /// An answer's body, and its `Link` header.
    private func answer(_ url: String, _ what: String) async throws -> (body: [UInt8], link: String?) {
        try await Patience.retrying(settings.firstPause) {
            let answer = try await transport.get(url, what)
            do {
                let body = try await answer.response.body.collect(upTo: Self.answerLimit)
                return (Array(body.readableBytesView), answer.response.headers.first(name: "Link"))
            } catch is NIOTooManyBytesError {
                throw HubError(.malformed, "\(what): the hub's answer is longer than \(Self.answerLimit >> 20) MiB")
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                throw TransientFailure(
                    error: HubError(.unreachable, "\(what): the hub's answer broke off; try again later"))
            }
        }
    }

    /// A text as one part of a path.
    private static func escaped(_ text: String) -> String {
        let allowed = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }
}

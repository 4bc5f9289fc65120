internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import Synchronization

/// A failure that may be none the next time.
struct TransientFailure: Error {
    var error: HubError
    /// For how long the server asks to be left alone.
    var pause: Duration?
}

/// GET requests to the hub and to where it sends them on. The token is for the hub's own address alone.
final class HubTransport: Sendable {
    private static let redirectLimit = 10
    private static let userAgent = "nephele"

    struct Answer {
        var response: HTTPClientResponse
        /// Where it came from in the end.
        var url: String
    }

    let settings: HubSettings
    /// By the proxy's address; the empty one for none.
    private let clients = Mutex<[String: HTTPClient]>([:])

    init(_ settings: HubSettings) { self.settings = settings }

    func shutdown() async {
        let all = clients.withLock { Array($0.values) }
        for client in all { try? await client.shutdown() }
    }

    /// Sends a request, and follows to wherever it is sent on.
    ///
    /// - Parameters:
    ///   - what: for messages; the address may hold a signature.
    ///   - range: bytes that are asked for; nil for all.
    /// - Returns: an answer of status 200 or 206.
    /// - Throws: `HubError`, or `TransientFailure`.
    func get(_ url: String, _ what: String, range: Range<Int>? = nil) async throws -> Answer {
        guard !settings.isOffline else {
            throw HubError(.offline, "\(what) is not there, and HF_HUB_OFFLINE forbids to ask for it")
        }
        var address = url
        for _ in 0...Self.redirectLimit {
            var request = HTTPClientRequest(url: address)
            request.headers.add(name: "User-Agent", value: Self.userAgent)
            request.headers.add(name: "Accept-Encoding", value: "identity")
            if let range {
                request.headers.add(name: "Range", value: "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
            }
            if let token = settings.token, Origin(address) == Origin(settings.endpoint) {
                request.headers.add(name: "Authorization", value: "Bearer \(token)")
            }
            let response: HTTPClientResponse
            do {
                response = try await client(for: address).execute(request, deadline: .distantFuture)
            } catch let error as HubError {
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                if let lasting = ConnectionFault(error, settings).map({
                    HubError(.refused, "\(what): \($0.message(host(address)))")
                }) {
                    throw lasting
                }
                throw TransientFailure(error: unreachable(address, what, error))
            }
            switch response.status.code {
            case 200, 206: return Answer(response: response, url: address)
            case 301, 302, 303, 307, 308:
                address = try next(response.headers.first(name: "Location"), from: address, what)
            default: throw failure(response, what)
            }
        }
        throw HubError(
            .malformed, "\(what): the server sends on and on; after \(Self.redirectLimit) times nobody follows")
    }

    /// Where an answer sends to.
    private func next(_ location: String?, from address: String, _ what: String) throws(HubError) -> String {
        guard let location, let base = URL(string: address),
            let url = URL(string: location, relativeTo: base)?.absoluteURL, let scheme = url.scheme, url.host != nil,
            ["http", "https"].contains(scheme), scheme == "https" || base.scheme == "http"
        else { throw HubError(.malformed, "\(what): the server sends on to where nobody can follow safely") }
        return url.absoluteString
    }

    // MARK: Clients

    private func client(for address: String) throws(HubError) -> HTTPClient {
        guard let url = URLComponents(string: address), let scheme = url.scheme, let host = url.host else {
            throw HubError(.malformed, "an address of the hub cannot be read")
        }
        let proxy = settings.proxies.proxy(scheme: scheme, host: host, port: url.port)
        if let known = clients.withLock({ $0[proxy ?? ""] }) { return known }
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(15), read: .seconds(Int64(settings.silence)))
        // What is refused is refused at once; trying again is our own matter.
        configuration.connectionPool.retryConnectionEstablishment = false
        // Ranges come side by side: over connections of their own they come faster than over one.
        configuration.httpVersion = .http1Only
        configuration.proxy = try proxy.map { text throws(HubError) in try ProxySettings.client(of: text) }
        if let certificates = settings.certificates {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(try Self.certificates(certificates))
            configuration.tlsConfiguration = tls
        }
        let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let (client, spare) = clients.withLock { clients -> (HTTPClient, HTTPClient?) in
            if let known = clients[proxy ?? ""] { return (known, made) }
            clients[proxy ?? ""] = made
            return (made, nil)
        }
        if let spare { spare.shutdown { _ in } }
        return client
    }

    private static func certificates(_ path: String) throws(HubError) -> [NIOSSLCertificate] {
        let found: [NIOSSLCertificate]
        do { found = try NIOSSLCertificate.fromPEMFile(path) } catch {
            throw HubError(
                .refused,
                "\(path), which SSL_CERT_FILE names, cannot be read as certificates in PEM: \("\(error)".prefix(200).printable)"
            )
        }
        guard !found.isEmpty else {
            throw HubError(.refused, "\(path), which SSL_CERT_FILE names, holds no certificate in PEM")
        }
        return found
    }

    // MARK: Failures

    private func host(_ address: String) -> String { URLComponents(string: address)?.host ?? "the hub" }

    private func unreachable(_ address: String, _ what: String, _ error: any Error) -> HubError {
        let host = host(address)
        let said = (error as? HTTPClientError).map { "\($0)" } ?? "\(error)"
        return HubError(
            .unreachable,
            "\(what): \(host) is not reached (\(said.prefix(200).printable)); look at the network, "
                + "HF_ENDPOINT and HTTPS_PROXY")
    }

    /// What an answer that is none says.
    private func failure(_ response: HTTPClientResponse, _ what: String) -> any Error {
        let code = response.status.code
        let kind = response.headers.first(name: "X-Error-Code") ?? ""
        let said = response.headers.first(name: "X-Error-Message").map { ": \"\($0.prefix(300).printable)\"" } ?? ""
        let token = settings.token == nil ? "no token was given (HF_TOKEN)" : "the token that was given may not read it"
        switch (code, kind) {
        case (401, "GatedRepo"), (403, "GatedRepo"), (403, _):
            return HubError(
                .refused,
                "\(what): the hub refuses access (HTTP \(code))\(said); \(token). Accept the model's terms at "
                    + "\(settings.endpoint) with your account, and give that account's token in HF_TOKEN")
        case (_, "RevisionNotFound"): return HubError(.notFound, "\(what): there is no such revision\(said)")
        case (_, "EntryNotFound"): return HubError(.notFound, "\(what): there is no such file\(said)")
        case (401, _), (404, _):
            return HubError(
                .notFound,
                "\(what): there is no such model, or it is private (HTTP \(code))\(said); \(token). Check how it is "
                    + "written at \(settings.endpoint)")
        case (408, _), (429, _), (500, _), (502, _), (503, _), (504, _):
            let error = HubError(
                .unreachable,
                code == 429
                    ? "\(what): the hub has had too many requests (HTTP 429)\(said); try again later, or give HF_TOKEN"
                    : "\(what): the hub answers with HTTP \(code)\(said); try again later")
            return TransientFailure(
                error: error,
                pause: HubAnswer.pause(
                    retryAfter: response.headers.first(name: "Retry-After"),
                    rateLimit: response.headers.first(name: "RateLimit")))
        default: return HubError(.refused, "\(what): the hub answers with HTTP \(code)\(said)")
        }
    }
}

/// Scheme, host and port: who gets to see a token.
private struct Origin: Hashable {
    let scheme: String
    let host: String
    let port: Int

    init?(_ address: String) {
        guard let url = URLComponents(string: address), let scheme = url.scheme?.lowercased(), let host = url.host
        else {
            return nil
        }
        (self.scheme, self.host) = (scheme, host.lowercased())
        port = url.port ?? (scheme == "https" ? 443 : 80)
    }
}

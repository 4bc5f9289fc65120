package import Foundation
internal import FoundationNetworking

/// A client of a gateway's HTTP API: plain answers, and streams of server-sent events.
package struct GatewayClient: Sendable {
    package let address: URL
    /// Seconds without a byte after which an answer is given up.
    private let patience: TimeInterval
    /// What the gateway knows its client by, if it asks.
    private let key: String?

    /// - Throws: `GatewayClientError` when `address` is no `http://host:port` URL.
    package init(address: String, key: String? = nil, patience: TimeInterval = 600) throws(GatewayClientError) {
        guard let url = URL(string: address), let scheme = url.scheme, ["http", "https"].contains(scheme),
            url.host?.isEmpty == false
        else {
            throw GatewayClientError(
                code: .malformed, message: "'\(address)' is no address of a gateway; give http://HOST:PORT")
        }
        self.address = url
        (self.patience, self.key) = (patience, key)
    }

    /// The JSON answer to a GET.
    ///
    /// - Throws: `GatewayClientError`.
    package func get<Reply: Decodable>(_ type: Reply.Type, _ path: String) async throws -> Reply {
        try decode(type, path, await whole(request(path)))
    }

    private func decode<Reply: Decodable>(_ type: Reply.Type, _ path: String, _ body: Data) throws -> Reply {
        do {
            return try JSONDecoder().decode(type, from: body)
        } catch {
            throw GatewayClientError(
                code: .malformed, message: "\(address)/\(path) does not answer as a Nephele gateway does: \(error)")
        }
    }

    /// The JSON answer to a POST.
    ///
    /// - Throws: `GatewayClientError`.
    package func post<Reply: Decodable>(_ type: Reply.Type, _ path: String, _ body: some Encodable) async throws
        -> Reply
    {
        var request = request(path)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try JSONEncoder().encode(body)
        return try decode(type, path, await whole(request))
    }

    /// Sends a file in a form.
    ///
    /// - Throws: `GatewayClientError`.
    package func upload<Reply: Decodable>(
        _ type: Reply.Type, _ path: String, name: String, _ file: Data, fields: [String: String]
    ) async throws -> Reply {
        let boundary = "nephele-" + UUID().uuidString
        var body = Data()
        for (field, value) in fields {
            body += Data(
                "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field)\"\r\n\r\n\(value)\r\n".utf8)
        }
        body += Data(
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\n\r\n".utf8)
        body += file + Data("\r\n--\(boundary)--\r\n".utf8)
        var request = request(path)
        request.httpMethod = "POST"
        request.setValue("multipart/form-data; boundary=\(boundary)", forHTTPHeaderField: "Content-Type")
        request.httpBody = body
        return try decode(type, path, await whole(request))
    }

    /// - Throws: `GatewayClientError`.
    package func delete(_ path: String) async throws {
        var request = request(path)
        request.httpMethod = "DELETE"
        _ = try await whole(request)
    }

    /// What the client's key has used, or all keys for an administrator.
    ///
    /// - Throws: `GatewayClientError`.
    package func usage(from: String?, to: String?) async throws -> UsageList {
        var request = request("v1/usage")
        let days = [("from", from), ("to", to)].compactMap { name, day in
            day.map { URLQueryItem(name: name, value: $0) }
        }
        request.url?.append(queryItems: days)
        return try decode(UsageList.self, "v1/usage", await whole(request))
    }

    /// Which rule would take a request.
    package func explainRoute(_ question: RouteQuestion) async throws -> RouteExplanation {
        try await post(RouteExplanation.self, "admin/route", question)
    }

    /// Asks a gateway to put the revision of a model that is at its place now in the place of the one that is served.
    ///
    /// - Throws: `GatewayClientError` when the gateway refuses to begin; what became of each replica stands in the answer.
    package func reload(_ model: String) async throws -> ReloadOutcome {
        // `appendingPathComponent` would split a name with a slash.
        guard let name = model.addingPercentEncoding(withAllowedCharacters: .alphanumerics),
            let url = URL(string: address.absoluteString + "/admin/models/\(name)/reload")
        else { throw GatewayClientError(code: .malformed, message: "'\(model)' is no name of a model") }
        // Loading takes its time, and nothing comes back meanwhile.
        var request = authorized(URLRequest(url: url, timeoutInterval: 7_200))
        request.httpMethod = "POST"
        do {
            let (data, response) = try await URLSession.shared.data(for: request)
            let status = (response as? HTTPURLResponse)?.statusCode ?? 0
            guard let outcome = try? JSONDecoder().decode(ReloadOutcome.self, from: data) else {
                throw GatewayClientError.refusal(status: status, body: data)
            }
            return outcome
        } catch let error as URLError {
            throw unreachable(error)
        }
    }

    /// The model that is meant: the one that is named, or the first that makes `modality` and is no adapter.
    ///
    /// - Throws: `GatewayClientError` when there is none.
    package func model(_ name: String?, modality: String) async throws -> String {
        if let name { return name }
        let known = try await get(ModelEntries.self, "v1/models").data
        guard let first = known.first(where: { $0.modality == modality && $0.parent == nil }) else {
            throw GatewayClientError(code: .refused, message: "\(address) serves no \(modality) model")
        }
        return first.id
    }

    /// Whether every service behind the gateway is ready.
    package func isReady() async -> Bool { (try? await whole(request("readyz"))) != nil }

    /// Models that the gateway expects and that are not served yet; nil where it waits for something else.
    package func missingModels() async -> Set<String>? {
        guard let (data, response) = try? await URLSession.shared.data(for: request("readyz")) else { return nil }
        if (response as? HTTPURLResponse)?.statusCode == 200 { return [] }
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let start = text.range(of: "not served yet: ") else { return nil }
        return Set(text[start.upperBound...].components(separatedBy: ", "))
    }

    /// The payloads of a streamed answer, without its `[DONE]`.
    ///
    /// Letting go of the stream closes the connection, which cancels the work behind it. An error event ends the
    /// stream by throwing `GatewayClientError`.
    package func events(_ path: String, _ body: some Encodable) throws -> AsyncThrowingStream<Data, any Error> {
        events(path, json: try JSONEncoder().encode(body))
    }

    /// As ``events(_:_:)``, of a body that is JSON.
    package func events(_ path: String, json body: Data) -> AsyncThrowingStream<Data, any Error> {
        var request = request(path)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = body
        return stream(request)
    }

    private func request(_ path: String) -> URLRequest {
        authorized(URLRequest(url: address.appendingPathComponent(path), timeoutInterval: patience))
    }

    private func authorized(_ request: URLRequest) -> URLRequest {
        var request = request
        if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
        return request
    }

    private func whole(_ request: URLRequest) async throws -> Data {
        do {
            let (data, response) = try await URLSession.shared.data(for: request)
            let status = (response as? HTTPURLResponse)?.statusCode ?? 0
            guard status == 200 else { throw GatewayClientError.refusal(status: status, body: data) }
            return data
        } catch let error as URLError {
            throw unreachable(error)
        }
    }

    private func stream(_ request: URLRequest) -> AsyncThrowingStream<Data, any Error> {
        let (stream, continuation) = AsyncThrowingStream<Data, any Error>.makeStream()
        let receiver = EventReceiver(continuation) { unreachable($0) }
        let session = URLSession(configuration: .ephemeral, delegate: receiver, delegateQueue: nil)
        let task = session.dataTask(with: request)
        continuation.onTermination = { _ in
            task.cancel()
            session.finishTasksAndInvalidate()
        }
        task.resume()
        return stream
    }

    private func unreachable(_ error: any Error) -> GatewayClientError {
        GatewayClientError(
            code: .unreachable,
            message: "no gateway answers at \(address) (\(error.localizedDescription)); start one with `nephele up`, "
                + "or name another with --gateway")
    }
}

import Foundation
import FoundationNetworking
import Gateway
import Hummingbird
import Testing

/// A gateway that listens at a port of its own as long as `body` runs.
func withServed<Result: Sendable>(
    _ gateway: Gateway, at address: GatewayAddress = GatewayAddress(),
    _ body: @Sendable @escaping (Int) async throws -> Result
) async throws -> Result {
    let (ports, running) = AsyncStream<Int>.makeStream()
    let application = try gateway.application(at: address) { running.yield($0.localAddress?.port ?? 0) }
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        defer { group.cancelAll() }
        var ports = ports.makeAsyncIterator()
        return try await body(try #require(await ports.next()))
    }
}

/// What a gateway answered.
struct ServedAnswer: Sendable {
    var status: Int
    /// By their names in lower case.
    var headers: [String: String]
    var body: String
}

/// One POST, and all of its answer.
func postServed(
    _ body: Data, to path: String, port: Int, headers: [String: String] = [:]
) async throws -> ServedAnswer {
    var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
    request.httpMethod = "POST"
    request.httpBody = body
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let (reply, response) = try await URLSession.shared.data(for: request)
    let http = try #require(response as? HTTPURLResponse)
    let fields = http.allHeaderFields.map { ("\($0)".lowercased(), "\($1)") }
    return ServedAnswer(
        status: http.statusCode, headers: Dictionary(fields) { $1 }, body: String(decoding: reply, as: UTF8.self))
}

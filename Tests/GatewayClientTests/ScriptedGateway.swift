import Foundation
import GatewayClient
import Hummingbird
import Testing

/// A request as a scripted gateway got it.
struct ReceivedRequest: Sendable {
    var path: String
    var query: String
    var authorization: String?
    var body: String
}

/// A gateway that gives one answer to everything, for the time of `body`.
///
/// - Parameter key: what the client is given as its key.
/// - Returns: what `body` gave, and the requests in their order.
func withGateway<Result: Sendable>(
    _ answer: String, status: HTTPResponse.Status = .ok, key: String? = nil,
    _ body: @Sendable @escaping (GatewayClient) async throws -> Result
) async throws -> (Result, [ReceivedRequest]) {
    let (requests, received) = AsyncStream<ReceivedRequest>.makeStream()
    let (ports, running) = AsyncStream<Int>.makeStream()
    let responder = CallbackResponder<BasicRequestContext> { request, _ in
        let content = try await request.body.collect(upTo: 1 << 20)
        received.yield(
            ReceivedRequest(
                path: request.uri.path, query: request.uri.query ?? "",
                authorization: request.headers[.authorization], body: String(buffer: content)))
        return Response(status: status, body: .init(byteBuffer: ByteBuffer(string: answer)))
    }
    let application = Application(
        responder: responder, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { running.yield($0.localAddress?.port ?? 0) })
    let result = try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        defer { group.cancelAll() }
        var ports = ports.makeAsyncIterator()
        let port = try #require(await ports.next())
        return try await body(try GatewayClient(address: "http://127.0.0.1:\(port)", key: key, patience: 30))
    }
    received.finish()
    var all: [ReceivedRequest] = []
    for await request in requests { all.append(request) }
    return (result, all)
}

package import Messages
package import RPC

/// Serves the documents of this gateway's file to gateways that have none.
package struct StateService: RPCService {
    private let store: StateStore

    package init(_ store: StateStore) { self.store = store }

    package func register(with router: inout RPCRouter) {
        let store = store
        router.unary(Wire.State.put) { request, _ in ServerReply(try await store.put(request.message)) }
        router.unary(Wire.State.find) { request, _ in ServerReply(try await store.find(request.message)) }
        router.unary(Wire.State.list) { request, _ in ServerReply(try await store.list(request.message)) }
        router.unary(Wire.State.claim) { request, _ in ServerReply(try await store.claim(request.message)) }
        router.unary(Wire.State.update) { request, _ in ServerReply(try await store.update(request.message)) }
        router.unary(Wire.State.delete) { request, _ in ServerReply(try await store.delete(request.message)) }
        router.unary(Wire.State.tally) { request, _ in ServerReply(try await store.tally(request.message)) }
    }
}

/// Documents that another gateway keeps, asked over the bus.
package struct RemoteState: StateSource {
    private let client: RPCClient

    private static let patience: Duration = .seconds(10)

    package init(_ client: RPCClient) { self.client = client }

    private func call<Request, Reply>(_ method: Method<Request, Reply>, _ request: Request) async throws -> Reply {
        try await client.call(method, request, CallOptions(timeout: Self.patience)).message
    }

    package func put(_ request: Wire.PutStateRequest) async throws -> Wire.PutStateReply {
        try await call(Wire.State.put, request)
    }

    package func find(_ request: Wire.FindStateRequest) async throws -> Wire.FindStateReply {
        try await call(Wire.State.find, request)
    }

    package func list(_ request: Wire.ListStateRequest) async throws -> Wire.ListStateReply {
        try await call(Wire.State.list, request)
    }

    package func claim(_ request: Wire.ClaimStateRequest) async throws -> Wire.ClaimStateReply {
        try await call(Wire.State.claim, request)
    }

    package func update(_ request: Wire.UpdateStateRequest) async throws -> Wire.UpdateStateReply {
        try await call(Wire.State.update, request)
    }

    package func delete(_ request: Wire.DeleteStateRequest) async throws -> Wire.DeleteStateReply {
        try await call(Wire.State.delete, request)
    }

    package func tally(_ request: Wire.TallyStateRequest) async throws -> Wire.TallyStateReply {
        try await call(Wire.State.tally, request)
    }
}

import Messages
import RPC

/// Calls about adapters, to a text-model that a test runs.
protocol AdapterCalls {
    var client: RPCClient { get }
}

extension AdapterCalls {
    @discardableResult
    func load(_ name: String, _ path: String, model: String = "llama") async throws -> Wire.LoadAdapterReply {
        try await client.call(
            Wire.TextModel.loadAdapter, Wire.LoadAdapterRequest(model: model, name: name, path: path),
            CallOptions(timeout: .seconds(60))
        ).message
    }

    func unload(_ name: String) async throws {
        _ = try await client.call(
            Wire.TextModel.unloadAdapter, Wire.UnloadAdapterRequest(model: "llama", name: name),
            CallOptions(timeout: .seconds(60)))
    }

    func request(_ adapter: String, seed: UInt64 = 3, maxTokens: UInt32 = 20) -> Wire.GenerateRequest {
        var request = Wire.GenerateRequest(
            model: "llama", prompt: (0..<25).map { $0 * 31 % 256 }, maxTokens: maxTokens, seed: seed)
        request.adapter = adapter
        request.ignoresEndOfText = true
        return request
    }
}

import Foundation
import Hummingbird

/// `POST /v1/load_lora_adapter` and `/v1/unload_lora_adapter`, in vLLM's form.
struct AdaptersRoutes: RouteGroup {
    let pipeline: RequestPipeline
    let fleet: Fleet
    /// Whether clients may load and unload adapters.
    let isAllowed: Bool

    func addRoutes(to router: Router<GatewayContext>) {
        // They are not given up half way when the client goes.
        router.post("/v1/load_lora_adapter") { request, context in
            try await pipeline.run(.operation(by: .admin), request, context) { data, _ in try await load(data) }
        }
        router.post("/v1/unload_lora_adapter") { request, context in
            try await pipeline.run(.operation(by: .admin), request, context) { data, _ in try await unload(data) }
        }
    }

    private struct LoadRequest: Decodable {
        var lora_name: String
        /// Within the folder of adapters that the text-models were started with.
        var lora_path: String
        /// The model that is changed; needed only where several fit.
        var base_model: String?
        var load_inplace: Bool?
    }

    private struct UnloadRequest: Decodable {
        var lora_name: String
    }

    private func load(_ data: Data) async throws -> Response {
        try checkUpdatesAllowed()
        let request = try JSONRequest.decode(LoadRequest.self, from: data)
        guard request.load_inplace != true else {
            throw APIError.invalidRequest(
                "'load_inplace' is not supported: unload the adapter first.", parameter: "load_inplace")
        }
        try await fleet.loadAdapter(request.lora_name, path: request.lora_path, base: request.base_model)
        return success("LoRA adapter '\(request.lora_name)' added successfully.")
    }

    private func unload(_ data: Data) async throws -> Response {
        try checkUpdatesAllowed()
        let request = try JSONRequest.decode(UnloadRequest.self, from: data)
        try await fleet.unloadAdapter(request.lora_name)
        return success("LoRA adapter '\(request.lora_name)' removed successfully.")
    }

    private func checkUpdatesAllowed() throws {
        guard isAllowed else {
            throw APIError(
                status: .forbidden,
                message: "Adapters are not loaded or unloaded by request here: the gateway was started without "
                    + "--allow-adapter-updates.",
                type: "invalid_request_error", code: "adapter_updates_disabled")
        }
    }

    private func success(_ what: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: "Success: \(what)")))
    }
}

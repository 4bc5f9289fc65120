import Hummingbird

/// What `POST /admin/models/{name}/reload` answers.
struct ReloadResponse: Encodable {
    struct Instance: Encodable {
        var service: String
        var address: String
        var instance_id: String
        var revision: String
        /// The files are those that were loaded already.
        var unchanged: Bool
    }

    var model: String
    var instances: [Instance]
}

extension Gateway {
    /// - Throws: `APIError`.
    func reload(_ name: String) async throws -> Response {
        guard allowsReload else {
            throw APIError(
                status: .forbidden,
                message: "Models are not reloaded by request here: the gateway was started without --allow-reload.",
                type: "invalid_request_error", code: "reload_disabled")
        }
        let reloaded = try await fleet.reload(name)
        return try JSONResponse.make(
            ReloadResponse(
                model: name,
                instances: reloaded.map { outcome in
                    .init(
                        service: outcome.instance.description.service, address: outcome.instance.address,
                        instance_id: outcome.instance.id, revision: outcome.reply.revision,
                        unchanged: outcome.reply.isUnchanged)
                }))
    }
}

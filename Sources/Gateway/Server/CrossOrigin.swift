import Hummingbird

/// Lets browsers' applications of other origins use the API (Fetch standard, «CORS protocol»).
struct CrossOrigin: RouterMiddleware {
    typealias Context = GatewayContext

    private let origins: Set<String>
    private let isOpen: Bool
    private let standard: CORSMiddleware<GatewayContext>

    init(_ origins: Set<BrowserOrigin>) {
        self.origins = Set(origins.map(\.name))
        isOpen = origins.contains(.any)
        // The star names every field but `authorization`; what SDKs send beside it is their affair.
        let star = [FieldName.any].compactMap(\.self)
        standard = CORSMiddleware(
            allowOrigin: isOpen ? .all : .originBased, allowHeaders: [.authorization, .contentType] + star,
            allowMethods: [.get, .head, .post], maxAge: .hours(1))
    }

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin], isOpen || origins.contains(origin) else {
            var response = try await next(request, context)
            // Caches must not give this answer to an origin that may read it.
            if !isOpen { response.headers[.vary] = "Origin" }
            return response
        }
        var response = try await standard.handle(request, context: context, next: next)
        if request.method != .options { response.headers[.accessControlExposeHeaders] = Self.exposed }
        return response
    }

    /// What applications need to read of an answer's head.
    private static let exposed =
        [
            FieldName.requestID, FieldName.anthropicRequestID, FieldName.traceparent, FieldName.route,
            FieldName.shouldRetry, FieldName.requestLimit,
            FieldName.requestsLeft, FieldName.requestReset, FieldName.tokenLimit, FieldName.tokensLeft,
            FieldName.tokenReset, .retryAfter,
        ].compactMap { $0?.canonicalName }.joined(separator: ", ")
}

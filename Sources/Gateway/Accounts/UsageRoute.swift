import Accounts
import Foundation
import Hummingbird

/// `GET /v1/usage?from=2026-11-01&to=2026-11-30`: of the caller's key, and of all keys for an administrator.
struct UsageRoute: RouteGroup {
    let keys: Authenticator

    func addRoutes(to router: Router<GatewayContext>) {
        router.get("/v1/usage") { request, _ in try await usage(request) }
    }

    private struct UsageList: Encodable {
        struct Row: Encodable {
            var day: String
            var key: String
            var model: String
            var requests: Int
            var prompt_tokens: Int
            var completion_tokens: Int
            var pictures: Int
            var cost: Double
        }

        var object = "list"
        var data: [Row]
    }

    private func usage(_ request: Request) async throws -> Response {
        let keeper = try keys.requireAccounts()
        guard let account = try await keys.account(of: request) else { throw APIError.notReady }
        let today = AccountStore.today
        let from = request.uri.queryParameters["from"].map(String.init) ?? today.prefix(8) + "01"
        let to = request.uri.queryParameters["to"].map(String.init) ?? today
        guard [from, to].allSatisfy(Self.isDay), from <= to else {
            throw APIError.invalidRequest(
                "'from' and 'to' are days such as 2026-11-25, the first no later than the second.", parameter: "from")
        }
        await keeper.flush()
        let rows = try await keeper.source.usage(key: account.role == .admin ? nil : account.id, days: from...to)
        return try JSONResponse.make(
            UsageList(
                data: rows.map { row in
                    .init(
                        day: row.day, key: row.key, model: row.model, requests: row.usage.requests,
                        prompt_tokens: row.usage.promptTokens, completion_tokens: row.usage.completionTokens,
                        pictures: row.usage.pictures, cost: row.usage.cost)
                }))
    }

    private static func isDay(_ text: String) -> Bool {
        let shape = text.utf8.map { (0x30...0x39).contains($0) ? UInt8(ascii: "0") : $0 }
        return shape.elementsEqual("0000-00-00".utf8)
    }
}

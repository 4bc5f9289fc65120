import Hummingbird

/// What a request for a list asks for: OpenAI's `after`, `limit` and `order`.
struct ListQuery: Sendable {
    var after: String?
    var limit: Int
    var isLatestFirst: Bool

    /// - Throws: `APIError` that names the parameter.
    init(_ request: Request, limits: ClosedRange<Int> = 1...100, standard: Int = 20) throws {
        let parameters = request.uri.queryParameters
        after = parameters["after"].map(String.init)
        limit = standard
        if let text = parameters["limit"] {
            guard let number = Int(text), limits.contains(number) else {
                throw APIError.invalidRequest(
                    "limit is '\(text.prefix(40))'; it is a number from \(limits.lowerBound) to \(limits.upperBound).",
                    parameter: "limit")
            }
            limit = number
        }
        let order = parameters["order"] ?? "desc"
        guard order == "asc" || order == "desc" else {
            throw APIError.invalidRequest("order is '\(order.prefix(40))'; it is asc or desc.", parameter: "order")
        }
        isLatestFirst = order == "desc"
    }
}

/// A list in OpenAI's form.
struct ListObject<Element: Encodable>: Encodable {
    var object = "list"
    var data: [Element]
    var first_id: String?
    var last_id: String?
    var has_more: Bool
}

/// What became of a deletion, in OpenAI's form.
struct DeletionObject: Encodable {
    var id: String
    var object: String
    var deleted = true
}

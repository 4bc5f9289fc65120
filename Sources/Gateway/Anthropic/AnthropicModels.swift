import Hummingbird

/// A model as Anthropic's clients read it.
struct AnthropicModel: Encodable {
    var type = "model"
    var id: String
    var display_name: String
    /// When a model came is not known, which this stands for.
    var created_at = "1970-01-01T00:00:00Z"
    var lifecycle = "active"
    var max_input_tokens: Int
    var max_tokens: Int

    init(_ model: ModelList.Model) {
        (id, display_name) = (model.id, model.id)
        (max_input_tokens, max_tokens) = (model.context_length, model.context_length)
    }
}

/// A page of models.
struct AnthropicModelList: Encodable {
    var data: [AnthropicModel]
    var has_more: Bool
    var first_id: String?
    var last_id: String?

    private enum CodingKeys: String, CodingKey { case data, has_more, first_id, last_id }

    /// - Throws: `APIError` for a page beside what there is not.
    init(_ models: [ModelList.Model], _ page: AnthropicPage) throws {
        // Messages are answered by text models.
        let (own, more) = try page.part(of: models.filter { $0.modality == "text" }, id: \.id)
        (data, has_more) = (own.map(AnthropicModel.init), more)
        (first_id, last_id) = (own.first?.id, own.last?.id)
    }

    /// Clients expect all of these keys.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(data, forKey: .data)
        try container.encode(has_more, forKey: .has_more)
        try container.encode(first_id, forKey: .first_id)
        try container.encode(last_id, forKey: .last_id)
    }
}

/// What a request for a list asks for: Anthropic's `limit`, `after_id` and `before_id`.
struct AnthropicPage: Sendable {
    var limit = 20
    var after: String?
    var before: String?

    /// - Throws: `APIError` that names the parameter.
    init(_ request: Request) throws {
        let parameters = request.uri.queryParameters
        if let text = parameters["limit"] {
            guard let number = Int(text), (1...1_000).contains(number) else {
                throw APIError.invalidRequest(
                    "limit is '\(text.prefix(40))'; it is a number from 1 to 1000.", parameter: "limit")
            }
            limit = number
        }
        (after, before) = (parameters["after_id"].map(String.init), parameters["before_id"].map(String.init))
        guard after == nil || before == nil else {
            throw APIError.invalidRequest("Give 'after_id' or 'before_id', not both.", parameter: "before_id")
        }
    }

    /// The page of all there are, and whether more are on its other side.
    ///
    /// - Throws: `APIError` for an id that is none of them.
    func part<Element>(of all: [Element], id: (Element) -> String) throws -> (part: [Element], hasMore: Bool) {
        func place(_ name: String, _ field: String) throws -> Int {
            guard let place = all.firstIndex(where: { id($0) == name }) else {
                throw APIError.invalidRequest(
                    "'\(field)' is '\(name.prefix(100))', which is not there.", parameter: field)
            }
            return place
        }
        if let before {
            let end = try place(before, "before_id")
            return (Array(all[..<end].suffix(limit)), end > limit)
        }
        let rest = try after.map { Array(all[(try place($0, "after_id") + 1)...]) } ?? all
        return (Array(rest.prefix(limit)), rest.count > limit)
    }
}

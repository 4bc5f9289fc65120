import PromptRouting

/// `POST /v1/rerank`, `/v2/rerank` and `/rerank`.
struct RerankRequest: Decodable, Sendable {
    /// Documents of one request, at most.
    static let documentLimit = 2_048

    /// A text, or an object that holds one.
    struct Document: Codable, Sendable {
        var text: String

        private enum Key: String, CodingKey { case text }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self.text = text
            } else {
                text = try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .text)
            }
        }
    }

    var model: String
    var query: String
    /// What documents are judged by, for models that are told; nil for what the model has for it.
    var instruction: String?
    var documents: [Document]
    /// How many of the best are told; 0 for all.
    var top_n: Int?
    var return_documents: Bool?
    /// Tokens of a document, at most: a longer one is cut.
    var max_tokens_per_doc: Int?
    var truncate_prompt_tokens: Int?
    var user: String?

    /// - Throws: `APIError` that names the field.
    func check() throws {
        guard (1...Self.documentLimit).contains(documents.count) else {
            throw APIError.invalidRequest(
                "'documents' holds \(documents.count) texts; a request has 1 to \(Self.documentLimit).",
                parameter: "documents")
        }
        guard !query.isEmpty else {
            throw APIError.invalidRequest("'query' is empty: there is nothing to rank by.", parameter: "query")
        }
        if instruction?.isEmpty == true {
            throw APIError.invalidRequest(
                "'instruction' is empty; leave it out for the model's own.", parameter: "instruction")
        }
        if let index = documents.firstIndex(where: \.text.isEmpty) {
            throw APIError.invalidRequest(
                "Document \(index) is empty: there is nothing to score.", parameter: "documents")
        }
        if let top_n, top_n < 0 {
            throw APIError.invalidRequest("top_n is \(top_n); it must not be negative.", parameter: "top_n")
        }
        if let count = max_tokens_per_doc, UInt32(exactly: count) ?? 0 == 0 {
            throw APIError.invalidRequest(
                "max_tokens_per_doc is \(count); it must be at least 1.", parameter: "max_tokens_per_doc")
        }
    }

    var pairs: ScoredPairs {
        ScoredPairs(
            pairs: documents.map { (query, $0.text) }, fields: ("query", "documents"), instruction: instruction,
            documentLimit: max_tokens_per_doc, truncation: truncate_prompt_tokens)
    }

    var routing: RoutingRequest { pairs.routing(model: model, user: user) }
}

/// `POST /v1/score` and `/score`, in vLLM's form.
struct ScoreRequest: Decodable, Sendable {
    var model: String
    /// One for each of the others, or one for all of them.
    var text_1: OneOrMany<String>
    var text_2: OneOrMany<String>
    /// As in a ``RerankRequest``.
    var instruction: String?
    var truncate_prompt_tokens: Int?
    var user: String?

    /// - Throws: `APIError` that names the field.
    func pairs() throws -> ScoredPairs {
        let (first, second) = (text_1.values, text_2.values)
        guard (1...RerankRequest.documentLimit).contains(second.count) else {
            throw APIError.invalidRequest(
                "'text_2' holds \(second.count) texts; a request has 1 to \(RerankRequest.documentLimit).",
                parameter: "text_2")
        }
        guard first.count == 1 || first.count == second.count else {
            throw APIError.invalidRequest(
                "'text_1' holds \(first.count) texts and 'text_2' \(second.count); give one, or as many.",
                parameter: "text_1")
        }
        if instruction?.isEmpty == true {
            throw APIError.invalidRequest(
                "'instruction' is empty; leave it out for the model's own.", parameter: "instruction")
        }
        for (field, texts) in [("text_1", first), ("text_2", second)] {
            if let index = texts.firstIndex(where: \.isEmpty) {
                throw APIError.invalidRequest(
                    "Text \(index) of '\(field)' is empty: there is nothing to score.", parameter: field)
            }
        }
        return ScoredPairs(
            pairs: second.indices.map { (first.count == 1 ? first[0] : first[$0], second[$0]) },
            fields: ("text_1", "text_2"), instruction: instruction, documentLimit: nil,
            truncation: truncate_prompt_tokens)
    }
}

/// Pairs of texts that are to be scored.
struct ScoredPairs: Sendable {
    var pairs: [(first: String, second: String)]
    /// What the client gave them in.
    var fields: (first: String, second: String)
    var instruction: String?
    /// Tokens of a second text, at most.
    var documentLimit: Int?
    /// The client's `truncate_prompt_tokens`.
    var truncation: Int?

    func routing(model: String, user: String?) -> RoutingRequest {
        RoutingRequest(
            kind: .embedding, model: model, text: pairs.first?.first ?? "",
            length: pairs.reduce(0) { $0 + $1.first.unicodeScalars.count + $1.second.unicodeScalars.count }, user: user)
    }
}

/// The answer to a request to rerank: the best first.
struct Reranking: Encodable {
    struct Result: Encodable {
        struct Document: Encodable { var text: String }

        var index: Int
        var document: Document?
        var relevance_score: Float
    }

    var id: String
    var model: String
    var usage: EmbeddingEnd.Usage
    var results: [Result]
}

/// The answer to a request for scores.
struct ScoreList: Encodable {
    struct Item: Encodable {
        var index: Int
        var object = "score"
        var score: Float
    }

    var id: String
    var object = "list"
    var created: Int
    var model: String
    var data: [Item]
    var usage: EmbeddingEnd.Usage
}

import Foundation
import Messages

/// `POST /v1/embeddings`.
struct EmbeddingRequest: Decodable, Sendable {
    enum Form: String, Sendable { case float, base64 }

    /// Texts of one request, at most.
    static let inputLimit = 2_048
    /// Tokens of all of them.
    static let tokenLimit = 300_000

    var model: String
    var inputs: PromptList
    var encoding_format: String?
    var form: Form? { encoding_format.flatMap(Form.init) }
    /// How many numbers of each are wanted.
    var dimensions: Int?
    /// The name of what is written before each text; or what the texts are for, in Cohere's words.
    var prompt_name: String?
    var input_type: String?
    /// Tokens of a text, at most: a longer one is cut. −1 for as many as the model takes.
    var truncate_prompt_tokens: Int?
    /// Whether embeddings have length 1; as the model's files say where it is left out.
    var normalize: Bool?
    var user: String?

    private enum CodingKeys: String, CodingKey {
        case model, dimensions, user, encoding_format, prompt_name, input_type, truncate_prompt_tokens, normalize
        case inputs = "input"
    }

    /// - Throws: `APIError` that names the field.
    func check() throws {
        guard let given = encoding_format, Form(rawValue: given) == nil else { return try checkInputs() }
        throw APIError.invalidRequest(
            "encoding_format is '\(given.prefix(40))'; it is float or base64.", parameter: "encoding_format")
    }

    private func checkInputs() throws {
        let count = inputs.prompts.count
        guard (1...Self.inputLimit).contains(count) else {
            throw APIError.invalidRequest(
                "'input' holds \(count) texts; a request has 1 to \(Self.inputLimit).", parameter: "input")
        }
        if let index = inputs.prompts.firstIndex(where: { $0 == .text("") || $0 == .tokens([]) }) {
            throw APIError.invalidRequest(
                "Text \(index) of 'input' is empty: there is nothing to embed.", parameter: "input")
        }
        if let dimensions, UInt32(exactly: dimensions) ?? 0 == 0 {
            throw APIError.invalidRequest(
                "dimensions is \(dimensions); it must be at least 1.", parameter: "dimensions")
        }
    }
}

extension EmbeddingRequest {
    /// What Cohere and others call what a text is for, and what sentence-transformers' files call it.
    private static let kinds: [String: [String]] = [
        "search_query": ["query", "search_query"], "query": ["query", "search_query"],
        "search_document": ["document", "passage", "search_document", "corpus"],
        "document": ["document", "passage", "search_document", "corpus"],
        "passage": ["passage", "document", "search_document", "corpus"],
        "classification": ["classification", "Classification"], "clustering": ["clustering", "Clustering"],
    ]

    /// What is written before each text.
    ///
    /// - Throws: `APIError` for a name that the model's files do not have.
    func prefix(for model: ModelDescription) throws -> String {
        let prompts = model.embedding?.prompts ?? []
        let (field, wanted): (String, [String])
        switch (prompt_name, input_type) {
        case (let name?, nil): (field, wanted) = ("prompt_name", [name])
        case (nil, let type?): (field, wanted) = ("input_type", Self.kinds[type] ?? [type])
        case (_?, _?):
            throw APIError.invalidRequest("Give either 'prompt_name' or 'input_type'.", parameter: "input_type")
        case (nil, nil):
            return prompts.first { $0.name == model.embedding?.defaultPrompt }?.text ?? ""
        }
        for name in wanted {
            if let prompt = prompts.first(where: { $0.name == name }) { return prompt.text }
        }
        let known = prompts.map(\.name).sorted()
        throw APIError.invalidRequest(
            "'\(field)' is '\((prompt_name ?? input_type ?? "").prefix(40))'; "
                + (known.isEmpty ? "this model has no prompts." : "this model's prompts are \(known)."),
            parameter: field)
    }
}

/// How many tokens of a text are read, where a client lets it be cut.
enum TextLimit {
    /// - Parameter asked: the client's `truncate_prompt_tokens`.
    /// - Returns: nil where nothing is cut.
    /// - Throws: `APIError` for a number of tokens that no text can have.
    static func tokens(_ asked: Int?, of model: ModelDescription) throws -> Int? {
        guard let asked else { return nil }
        if asked == -1 { return model.contextLength }
        guard (1...model.contextLength).contains(asked) else {
            throw APIError.invalidRequest(
                "truncate_prompt_tokens is \(asked); it must lie in 1…\(model.contextLength), or be -1.",
                parameter: "truncate_prompt_tokens")
        }
        return asked
    }
}

/// An element of the answer's `data`.
struct EmbeddingItem: Encodable {
    enum Value: Encodable {
        case floats([Float])
        /// Of f32 in little-endian.
        case base64(String)

        init(_ embedding: [Float], as form: EmbeddingRequest.Form) {
            switch form {
            case .float: self = .floats(embedding)
            case .base64:
                var bytes = Data(capacity: 4 * embedding.count)
                for value in embedding {
                    for shift in [0, 8, 16, 24] as [UInt32] {
                        bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
                    }
                }
                self = .base64(bytes.base64EncodedString())
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .floats(let values): try container.encode(values)
            case .base64(let text): try container.encode(text)
            }
        }
    }

    var object = "embedding"
    var index: Int
    var embedding: Value
}

/// What follows the answer's `data`.
struct EmbeddingEnd: Encodable {
    struct Usage: Encodable {
        var prompt_tokens: Int
        var total_tokens: Int
    }

    var model: String
    var object = "list"
    var usage: Usage
}

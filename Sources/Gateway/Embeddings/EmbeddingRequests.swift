import Foundation

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
    var user: String?

    private enum CodingKeys: String, CodingKey {
        case model, dimensions, user, encoding_format
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

package import Messages
package import RPC
package import Tokenizers

/// Serves `nephele.v1.Tokenizer` for one or more models. Stateless.
package struct TokenizerService: RPCService {
    private let tokenizers: [String: Tokenizer]

    /// - Parameter tokenizers: by the name of their model.
    package init(tokenizers: [String: Tokenizer]) { self.tokenizers = tokenizers }

    /// What an instance that serves these models says of itself.
    package func description(capacity: Int) -> ServiceDescription {
        var description = ServiceDescription(service: "tokenizer")
        description.models = tokenizers.keys.sorted().map { name in
            var model = ModelDescription(name: name)
            model.numericsID = tokenizers[name]?.hash ?? ""
            return model
        }
        description.capacity = capacity
        return description
    }

    package func register(with router: inout RPCRouter) {
        router.unary(TokenizerMethods.encode) { request, _ in
            let tokenizer = try tokenizer(request.message.model)
            let ids = tokenizer.encode(request.message.text, addSpecialTokens: request.message.addSpecialTokens)
            return ServerReply(TokensReply(ids: ids, tokenizerHash: tokenizer.hash))
        }
        router.unary(TokenizerMethods.renderChat) { request, _ in
            let tokenizer = try tokenizer(request.message.model)
            let messages = request.message.messages.map { ChatMessage(role: $0.role, content: $0.content) }
            do throws(TokenizerError) {
                let ids = try tokenizer.renderChat(messages, addGenerationPrompt: request.message.addGenerationPrompt)
                return ServerReply(TokensReply(ids: ids, tokenizerHash: tokenizer.hash))
            } catch {
                throw RPCError(tokenizer: error, field: "messages")
            }
        }
        router.unary(TokenizerMethods.decode) { request, _ in
            let tokenizer = try tokenizer(request.message.model)
            do throws(TokenizerError) {
                let text = try tokenizer.decode(
                    request.message.ids, skipSpecialTokens: request.message.skipSpecialTokens)
                return ServerReply(TextReply(text: text))
            } catch {
                throw RPCError(tokenizer: error, field: "tokens")
            }
        }
    }

    private func tokenizer(_ model: String) throws -> Tokenizer {
        guard let tokenizer = tokenizers[model] else {
            throw RPCError(
                .notFound, "this tokenizer does not serve the model; it serves \(tokenizers.keys.sorted())",
                reason: "model_not_found", field: "model")
        }
        return tokenizer
    }
}

extension RPCError {
    /// A tokenizer's error as it crosses the wire.
    init(tokenizer error: TokenizerError, field: String) {
        switch error.code {
        case .invalidRequest: self.init(.invalidArgument, error.message, reason: "invalid_request", field: field)
        case .unsupported: self.init(.unimplemented, error.message, reason: "unsupported_template", field: field)
        case .unreadable, .malformed: self.init(.internalError, error.message)
        }
    }
}

package import Messages
package import RPC
package import Tokenizers

/// Serves `nephele.v1.Tokenizer` for one or more models. Stateless.
///
/// A tokenizer that is reloaded stays beside its successor until the next one comes: text-models follow one after the
/// other, and a call says by its numerics id which tokenizer its model needs.
package struct TokenizerService: RPCService {
    private let keepers: [String: RevisionKeeper<TokenizerRevision>]

    /// - Parameters:
    ///   - tokenizers: by the name of their model.
    ///   - load: brings what is at a model's place now; nil where tokenizers are not reloaded.
    package init(tokenizers: [String: Tokenizer], load: (@Sendable (_ model: String) throws -> Tokenizer)? = nil) {
        var keepers: [String: RevisionKeeper<TokenizerRevision>] = [:]
        for (name, tokenizer) in tokenizers {
            let loader = load.map { load in
                { @Sendable (current: TokenizerRevision) throws -> TokenizerRevision? in
                    let next: Tokenizer
                    do { next = try load(name) } catch {
                        throw RPCError(.failedPrecondition, "\(error)", reason: "invalid_checkpoint")
                    }
                    return next.hash == current.tokenizer.hash ? nil : TokenizerRevision(name: name, tokenizer: next)
                }
            }
            keepers[name] = RevisionKeeper(
                name, TokenizerRevision(name: name, tokenizer: tokenizer), keepsPrevious: true, load: loader)
        }
        self.keepers = keepers
    }

    /// What an instance that serves these models says of itself.
    package func description(capacity: Int) -> ServiceDescription {
        var description = ServiceDescription(service: "tokenizer")
        description.models = Self.models(keepers)
        description.capacity = capacity
        return description
    }

    /// Lets the server say which revisions there are, as they come and go.
    package func keepDescribed(by server: RPCServer) {
        for keeper in keepers.values {
            keeper.onChange { [weak server, keepers] in server?.update { $0.models = Self.models(keepers) } }
        }
    }

    private static func models(_ keepers: [String: RevisionKeeper<TokenizerRevision>]) -> [ModelDescription] {
        keepers.sorted { $0.key < $1.key }.flatMap(\.value.models)
    }

    package func register(with router: inout RPCRouter) {
        router.unary(TokenizerMethods.encode) { request, context in
            try await keeper(request.message.model).use(context) { revision in
                let tokenizer = revision.tokenizer
                let ids = tokenizer.encode(
                    request.message.text, addSpecialTokens: request.message.addSpecialTokens)
                return ServerReply(TokensReply(ids: ids, tokenizerHash: tokenizer.hash))
            }
        }
        router.unary(TokenizerMethods.renderChat) { request, context in
            try await keeper(request.message.model).use(context) { revision in
                let tokenizer = revision.tokenizer
                let messages = request.message.messages.map { ChatMessage(role: $0.role, content: $0.content) }
                do throws(TokenizerError) {
                    let ids = try tokenizer.renderChat(
                        messages, addGenerationPrompt: request.message.addGenerationPrompt)
                    return ServerReply(TokensReply(ids: ids, tokenizerHash: tokenizer.hash))
                } catch {
                    throw RPCError(tokenizer: error, field: "messages")
                }
            }
        }
        router.unary(TokenizerMethods.decode) { request, context in
            try await keeper(request.message.model).use(context) { revision in
                do throws(TokenizerError) {
                    let text = try revision.tokenizer.decode(
                        request.message.ids, skipSpecialTokens: request.message.skipSpecialTokens)
                    return ServerReply(TextReply(text: text))
                } catch {
                    throw RPCError(tokenizer: error, field: "tokens")
                }
            }
        }
        router.unary(RevisionMethods.reload) { request, _ in
            ServerReply(try await keeper(request.message.model).reload())
        }
    }

    private func keeper(_ model: String) throws -> RevisionKeeper<TokenizerRevision> {
        guard let keeper = keepers[model] else {
            throw RPCError(
                .notFound, "this tokenizer does not serve the model; it serves \(keepers.keys.sorted())",
                reason: "model_not_found", field: "model")
        }
        return keeper
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

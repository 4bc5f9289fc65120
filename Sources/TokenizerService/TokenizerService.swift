import Concurrency
package import Messages
package import RPC
import Synchronization
package import Tokenizers

/// Serves `nephele.v1.Tokenizer` for one or more models. Calls leave no state behind.
package final class TokenizerService: RPCService {
    private let tokenizers: Mutex<[String: Tokenizer]>
    private let loader: (@Sendable (String) throws -> Tokenizer)?

    /// - Parameters:
    ///   - tokenizers: by the name of their model.
    ///   - loader: reads a model's tokenizer again; nil where that is not done.
    package init(tokenizers: [String: Tokenizer], loader: (@Sendable (String) throws -> Tokenizer)? = nil) {
        self.tokenizers = Mutex(tokenizers)
        self.loader = loader
    }

    /// What an instance that serves these models says of itself.
    package func description(capacity: Int) -> ServiceDescription {
        let tokenizers = tokenizers.withLock { $0 }
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
        router.unary(TokenizerMethods.encode) { [self] request, _ in
            let tokenizer = try tokenizer(request.message.model)
            let ids = tokenizer.encode(request.message.text, addSpecialTokens: request.message.addSpecialTokens)
            return ServerReply(TokensReply(ids: ids, tokenizerHash: tokenizer.hash))
        }
        router.unary(TokenizerMethods.renderChat) { [self] request, _ in
            let tokenizer = try tokenizer(request.message.model)
            let messages = request.message.messages.map { ChatMessage(role: $0.role, content: $0.content) }
            do throws(TokenizerError) {
                let ids = try tokenizer.renderChat(messages, addGenerationPrompt: request.message.addGenerationPrompt)
                return ServerReply(TokensReply(ids: ids, tokenizerHash: tokenizer.hash))
            } catch {
                throw RPCError(tokenizer: error, field: "messages")
            }
        }
        router.unary(TokenizerMethods.reload) { [self] request, _ in
            ServerReply(try await reload(request.message.model))
        }
        router.unary(TokenizerMethods.decode) { [self] request, _ in
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
        try tokenizers.withLock { tokenizers in
            guard let tokenizer = tokenizers[model] else {
                throw RPCError(
                    .notFound, "this tokenizer does not serve the model; it serves \(tokenizers.keys.sorted())",
                    reason: "model_not_found", field: "model")
            }
            return tokenizer
        }
    }

    /// Reads a model's files again, for its chat template: the vocabulary is what running revisions were trained with.
    private func reload(_ model: String) async throws -> ReloadReply {
        let current = try tokenizer(model)
        guard let loader else {
            throw RPCError(
                .unimplemented, "this instance cannot load its tokenizers again: restart it",
                reason: "reload_unsupported")
        }
        let loaded: Tokenizer = try await withCheckedThrowingContinuation { done in
            do {
                _ = try DedicatedThread(name: "token-loader") { done.resume(with: Result { try loader(model) }) }
            } catch {
                done.resume(throwing: error)
            }
        }
        guard loaded.hash == current.hash else {
            throw RPCError(
                .failedPrecondition, "the files have another vocabulary; serve them under a name of their own",
                reason: "reload_tokenizer")
        }
        tokenizers.withLock { $0[model] = loaded }
        return ReloadReply(revision: String(loaded.hash.prefix(12)), isUnchanged: false)
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

package import Messages
import ModelServing
package import RPC
internal import Synchronization
package import Tokenizers

/// Serves `nephele.v1.Tokenizer` for one or more models. Stateless.
///
/// A tokenizer that is reloaded stays beside its successor until the next one comes: text-models follow one after the
/// other, and a call says by its numerics id which tokenizer its model needs. A model whose tokenizer cannot be loaded
/// is refused by what is wrong with it, and loaded by a reload once that is mended; the others are served.
package struct TokenizerService: RPCService {
    package typealias Load = @Sendable (_ model: String) throws -> Tokenizer
    private typealias Keeper = RevisionKeeper<TokenizerRevision>

    private struct Models {
        var keepers: [String: Keeper] = [:]
        /// What is wrong with the models that cannot be served.
        var faults: [String: TokenizerError]
        var changed: (@Sendable () -> Void)?

        var descriptions: [ModelDescription] {
            keepers.sorted { $0.key < $1.key }.flatMap(\.value.models)
        }
    }

    /// Shared by the copies of the service.
    private final class Shelf: Sendable {
        let models: Mutex<Models>
        init(_ models: Models) { self.models = Mutex(models) }
    }

    private let shelf: Shelf
    private let load: Load?

    /// - Parameters:
    ///   - tokenizers: by the name of their model.
    ///   - faults: what is wrong with those models that have none.
    ///   - load: brings what is at a model's place now; nil where tokenizers are not reloaded.
    package init(
        tokenizers: [String: Tokenizer], faults: [String: TokenizerError] = [:], load: Load? = nil
    ) {
        var models = Models(faults: faults)
        for (name, tokenizer) in tokenizers { models.keepers[name] = Self.keeper(name, tokenizer, load) }
        (shelf, self.load) = (Shelf(models), load)
    }

    private static func keeper(_ name: String, _ tokenizer: Tokenizer, _ load: Load?) -> Keeper {
        let loader = load.map { load in
            { @Sendable (current: TokenizerRevision) throws -> TokenizerRevision? in
                let next: Tokenizer
                do { next = try load(name) } catch {
                    throw RPCError(.failedPrecondition, "\(error)", reason: "invalid_checkpoint")
                }
                return next.hash == current.tokenizer.hash ? nil : TokenizerRevision(name: name, tokenizer: next)
            }
        }
        return Keeper(name, TokenizerRevision(name: name, tokenizer: tokenizer), keepsPrevious: true, load: loader)
    }

    /// What an instance that serves these models says of itself.
    package func description(capacity: Int) -> ServiceDescription {
        var description = ServiceDescription(service: "tokenizer")
        description.models = shelf.models.withLock(\.descriptions)
        description.capacity = capacity
        return description
    }

    /// Lets the server say which revisions there are, as they come and go.
    package func keepDescribed(by server: RPCServer) {
        let changed: @Sendable () -> Void = { [weak server, weak shelf] in
            guard let shelf else { return }
            let descriptions = shelf.models.withLock(\.descriptions)
            server?.update { $0.models = descriptions }
        }
        let keepers = shelf.models.withLock { models in
            models.changed = changed
            return Array(models.keepers.values)
        }
        for keeper in keepers { keeper.onChange(changed) }
    }

    /// Loads what is at a model's place now, also of a model that had a fault.
    private func reload(_ model: String) async throws -> Wire.ReloadReply {
        let hasFault = shelf.models.withLock { $0.keepers[model] == nil && $0.faults[model] != nil }
        guard hasFault, let load else { return try await keeper(model).reload() }
        let start = ContinuousClock.now
        let tokenizer: Tokenizer
        do { tokenizer = try load(model) } catch {
            throw RPCError(.failedPrecondition, "\(error)", reason: "invalid_checkpoint")
        }
        let keeper = Self.keeper(model, tokenizer, load)
        let changed = shelf.models.withLock { models in
            models.keepers[model] = keeper
            models.faults[model] = nil
            return models.changed
        }
        if let changed {
            keeper.onChange(changed)
            changed()
        }
        return Wire.ReloadReply(
            revision: keeper.current.models.first?.revision ?? "", previous: "",
            duration: ContinuousClock.now - start)
    }

    package func register(with router: inout RPCRouter) {
        router.unary(Wire.Tokenizer.encode) { request, context in
            try await keeper(request.message.model).use(context) { revision in
                let tokenizer = revision.tokenizer
                do throws(TokenizerError) {
                    let text = try tokenizer.encode(request.message)
                    return ServerReply(
                        Wire.TokensReply(
                            ids: text.ids, tokenizerHash: tokenizer.hash,
                            types: text.typeIDs.contains { $0 != 0 } ? text.typeIDs : []))
                } catch {
                    let field = request.message.suffix == nil ? "limit" : "suffix"
                    throw RPCError(tokenizer: error, field: field, model: request.message.model)
                }
            }
        }
        router.unary(Wire.Tokenizer.renderChat) { request, context in
            try await keeper(request.message.model).use(context) { revision in
                let tokenizer = revision.tokenizer
                let conversation = try Conversation(request.message)
                let pair = TextPair(conversation.messages)
                do throws(TokenizerError) {
                    let (ids, opening) = try tokenizer.render(request.message, conversation, pair)
                    return ServerReply(
                        Wire.TokensReply(ids: ids, tokenizerHash: tokenizer.hash, opening: opening))
                } catch {
                    let field = pair == nil ? "messages" : error.code == .invalidRequest ? "instruction" : "model"
                    throw RPCError(tokenizer: error, field: field, model: request.message.model)
                }
            }
        }
        router.unary(Wire.Tokenizer.describeChat) { request, context in
            try await keeper(request.message.model).use(context) { revision in
                do throws(TokenizerError) { return ServerReply(try revision.tokenizer.chatForm()) } catch {
                    throw RPCError(tokenizer: error, field: "messages", model: request.message.model)
                }
            }
        }
        router.unary(Wire.Tokenizer.decode) { request, context in
            try await keeper(request.message.model).use(context) { revision in
                do throws(TokenizerError) {
                    let text = try revision.tokenizer.decode(
                        request.message.ids, skipSpecialTokens: request.message.skipSpecialTokens)
                    return ServerReply(Wire.TextReply(text: text))
                } catch {
                    throw RPCError(tokenizer: error, field: "tokens", model: request.message.model)
                }
            }
        }
        router.unary(Wire.Revisions.reload) { request, _ in
            ServerReply(try await reload(request.message.model))
        }
    }

    private func keeper(_ model: String) throws -> RevisionKeeper<TokenizerRevision> {
        let (keeper, fault, names) = shelf.models.withLock { models in
            (models.keepers[model], models.faults[model], models.keepers.keys.sorted())
        }
        if let keeper { return keeper }
        if let fault {
            throw RPCError(
                .failedPrecondition, "the tokenizer of \"\(model)\" cannot be loaded: \(fault.message)",
                reason: "invalid_checkpoint")
        }
        throw RPCError(
            .notFound, "this tokenizer does not serve the model; it serves \(names)", reason: "model_not_found",
            field: "model")
    }
}

extension Tokenizer {
    fileprivate func render(
        _ message: Wire.RenderChatRequest, _ conversation: Conversation, _ pair: TextPair?
    ) throws(TokenizerError) -> (ids: [Int32], opening: String) {
        guard let pair else {
            guard message.pairTemplate.isEmpty else {
                throw TokenizerError(.invalidRequest, "a template of pairs is for a query and a document")
            }
            return try render(conversation)
        }
        let ids = try renderPair(
            pair, template: message.pairTemplate.isEmpty ? nil : message.pairTemplate,
            addGenerationPrompt: message.addGenerationPrompt)
        return (ids, "")
    }

    fileprivate func encode(_ message: Wire.EncodeRequest) throws(TokenizerError) -> TokenizedText {
        let special = message.addSpecialTokens
        if let suffix = message.suffix {
            let ids = try encodeAround(message.text, suffix, addSpecialTokens: special)
            return TokenizedText(ids: ids, typeIDs: Array(repeating: 0, count: ids.count))
        }
        let limit = message.limit.map { Truncation(maxLength: Int($0)) }
        guard let pair = message.pair else {
            return try encode(message.text, addSpecialTokens: special, truncation: limit)
        }
        guard let most = message.pairLimit.map({ Int($0) }),
            case let count = encode(pair, addSpecialTokens: false).count, count > most
        else { return try encodePair(message.text, pair, addSpecialTokens: special, truncation: limit) }
        // The second text alone gives way first, then both.
        let whole = try encodePair(message.text, pair, addSpecialTokens: special)
        let shorter = whole.ids.count - count + most
        if let limit, limit.maxLength < shorter {
            return try encodePair(message.text, pair, addSpecialTokens: special, truncation: limit)
        }
        return try encodePair(
            message.text, pair, addSpecialTokens: special,
            truncation: Truncation(maxLength: shorter, strategy: .onlySecond))
    }
}

extension RPCError {
    /// A tokenizer's error as it crosses the wire.
    init(tokenizer error: TokenizerError, field: String, model: String) {
        switch error.code {
        case .invalidRequest:
            self.init(.invalidArgument, error.message, reason: "invalid_request", field: error.field ?? field)
        case .unsupported, .unreadable, .malformed:
            // What one kind of request needs and the model's files do not give.
            self.init(
                .unimplemented, "model \"\(model)\": \(error.message)", reason: "unsupported_template", field: field)
        }
    }
}

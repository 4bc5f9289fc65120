package import Grammars
import Synchronization
package import TextModels
import Tokenizers

/// Makes grammars of what requests ask for, over one model's tokens, and keeps those that were asked for last.
package final class GrammarLibrary: Sendable {
    /// Grammars that are kept, at most, and bytes of one schema.
    private static let capacity = 32
    private static let sizeLimit = 1 << 20

    private struct Known {
        var vocabulary: TokenVocabulary?
        /// The one that was asked for last is the last.
        var grammars: [(demand: AnswerDemand, grammar: CompiledGrammar)] = []
    }

    private let tokenizer: Tokenizer
    private let endTokens: Set<Int32>
    private let known = Mutex(Known())

    package init(_ loaded: LoadedModel) { (tokenizer, endTokens) = (loaded.tokenizer, loaded.endTokens) }

    /// - Throws: `TextModelError.invalidRequest` that names the field, and the schema's place and keyword.
    package func grammar(_ demand: AnswerDemand) throws(TextModelError) -> CompiledGrammar {
        guard demand.schema.count <= Self.sizeLimit, demand.tools.count <= Self.sizeLimit else {
            throw demand.fault("it has more than \(Self.sizeLimit) bytes")
        }
        guard tokenizer.joinsBytes else {
            throw demand.fault("this model's tokens are not parts of a text, one behind the other")
        }
        if let known = find(demand) { return known }
        let rules = try demand.rules()
        do throws(GrammarError) {
            let grammar = try CompiledGrammar(rules.grammar(), vocabulary())
            keep(grammar, demand)
            return grammar
        } catch {
            throw demand.fault(error)
        }
    }

    /// As ``grammar(_:)``, of JSON texts of a schema's value.
    package func grammar(schema: [UInt8], field: String) throws(TextModelError) -> CompiledGrammar {
        try grammar(AnswerDemand(schema: schema, field: field))
    }

    private func find(_ demand: AnswerDemand) -> CompiledGrammar? {
        known.withLock { known in
            guard let index = known.grammars.lastIndex(where: { $0.demand == demand }) else { return nil }
            let own = known.grammars.remove(at: index)
            // Answers that follow it keep it as long as they run.
            if own.grammar.isLarge { return nil }
            known.grammars.append(own)
            return own.grammar
        }
    }

    private func keep(_ grammar: CompiledGrammar, _ demand: AnswerDemand) {
        known.withLock { known in
            known.grammars.append((demand, grammar))
            if known.grammars.count > Self.capacity { known.grammars.removeFirst() }
        }
    }

    /// The model's tokens, laid out when the first grammar is asked for.
    private func vocabulary() -> TokenVocabulary {
        if let made = known.withLock({ $0.vocabulary }) { return made }
        let tokens = (0..<Int32(tokenizer.vocabulary.count)).map { id in
            tokenizer.isSpecial(id) ? nil : tokenizer.bytes(of: id)
        }
        var controls: [Int32: [UInt8]] = [:]
        for id in 0..<Int32(tokenizer.vocabulary.count) where tokenizer.isSpecial(id) && !endTokens.contains(id) {
            if let spelling = tokenizer.bytes(of: id), !spelling.isEmpty { controls[id] = spelling }
        }
        let made = TokenVocabulary(tokens: tokens, controls: controls, endTokens: endTokens)
        known.withLock { $0.vocabulary = made }
        return made
    }
}

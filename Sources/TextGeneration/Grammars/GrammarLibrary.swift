package import Grammars
import JSON
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
        var grammars: [(source: [UInt8], grammar: CompiledGrammar)] = []
    }

    private let tokenizer: Tokenizer
    private let endTokens: Set<Int32>
    private let known = Mutex(Known())

    package init(_ loaded: LoadedModel) { (tokenizer, endTokens) = (loaded.tokenizer, loaded.endTokens) }

    /// - Parameters:
    ///   - schema: the text of a JSON Schema.
    ///   - field: what the request calls it.
    /// - Throws: `TextModelError.invalidRequest` that names the field, and the schema's place and keyword.
    package func grammar(schema: [UInt8], field: String) throws(TextModelError) -> CompiledGrammar {
        func fault(_ what: String) -> TextModelError {
            TextModelError(.invalidRequest, "the schema of '\(field)' cannot be enforced: \(what)", field: field)
        }
        guard schema.count <= Self.sizeLimit else { throw fault("it has more than \(Self.sizeLimit) bytes") }
        guard tokenizer.joinsBytes else {
            throw fault("this model's tokens are not parts of a text, one behind the other")
        }
        if let known = find(schema) { return known }
        let value: JSON.JSONValue
        do throws(JSONError) { value = try JSONParser.parse(schema) } catch {
            throw fault("it is no JSON: \(error.problem)")
        }
        do throws(GrammarError) {
            let grammar = try CompiledGrammar(schema: value, vocabulary())
            keep(grammar, schema)
            return grammar
        } catch {
            throw fault(error.description)
        }
    }

    private func find(_ source: [UInt8]) -> CompiledGrammar? {
        known.withLock { known in
            guard let index = known.grammars.lastIndex(where: { $0.source == source }) else { return nil }
            let own = known.grammars.remove(at: index)
            // Answers that follow it keep it as long as they run.
            if own.grammar.isLarge { return nil }
            known.grammars.append(own)
            return own.grammar
        }
    }

    private func keep(_ grammar: CompiledGrammar, _ source: [UInt8]) {
        known.withLock { known in
            known.grammars.append((source, grammar))
            if known.grammars.count > Self.capacity { known.grammars.removeFirst() }
        }
    }

    /// The model's tokens, laid out when the first grammar is asked for.
    private func vocabulary() -> TokenVocabulary {
        if let made = known.withLock({ $0.vocabulary }) { return made }
        let tokens = (0..<Int32(tokenizer.vocabulary.count)).map { id in
            tokenizer.isSpecial(id) ? nil : tokenizer.bytes(of: id)
        }
        let made = TokenVocabulary(tokens: tokens, endTokens: endTokens)
        known.withLock { $0.vocabulary = made }
        return made
    }
}

package import JSON
internal import Synchronization

/// A grammar over a model's tokens. What is found out about it is kept, and shared by all that follow it.
package final class CompiledGrammar: Sendable {
    package let vocabulary: TokenVocabulary
    private let machine: Mutex<SchemaMachine>
    let start: Configuration

    /// - Throws: `GrammarError` that names the place and the keyword: what is no schema, what is not enforced, what nothing
    ///   satisfies.
    package init(schema: JSONValue, _ vocabulary: TokenVocabulary) throws(GrammarError) {
        let machine = try SchemaMachine(schema: schema)
        var start = Configuration()
        start.state = machine.root
        (self.vocabulary, self.start) = (vocabulary, start)
        self.machine = Mutex(machine)
    }

    func mask(_ c: Configuration, text: [UInt8]) throws(GrammarError) -> TokenMask {
        try machine.withLock { machine throws(GrammarError) in try machine.mask(c, text: text, vocabulary) }
    }

    /// - Returns: nil where the bytes may not follow.
    func following(_ c: Configuration, _ bytes: [UInt8], text: [UInt8]) throws(GrammarError) -> Configuration? {
        try machine.withLock { machine throws(GrammarError) in
            var next = c
            var context = ReadText(text: text)
            for byte in bytes {
                guard try machine.step(&next, byte, context) else { return nil }
                context.tried.append(byte)
            }
            return next
        }
    }

    func canEnd(_ c: Configuration) -> Bool { machine.withLock { $0.canEnd(c) } }
}

/// How far one answer has followed a grammar. A value: a copy goes its own way.
package struct GrammarMatcher: Sendable {
    private let grammar: CompiledGrammar
    private var configuration: Configuration
    private var text: [UInt8] = []

    package init(_ grammar: CompiledGrammar) {
        self.grammar = grammar
        configuration = grammar.start
    }

    /// The tokens that may follow.
    package func mask() throws(GrammarError) -> TokenMask { try grammar.mask(configuration, text: text) }

    /// Takes a token in.
    ///
    /// - Returns: whether it may follow; where not, nothing has changed.
    package mutating func accept(_ id: Int32) throws(GrammarError) -> Bool {
        if grammar.vocabulary.endTokens.contains(id) { return canEnd }
        guard Int(id) < grammar.vocabulary.count, id >= 0, let bytes = grammar.vocabulary.bytes[Int(id)] else {
            return false
        }
        return try accept(bytes)
    }

    /// Takes bytes in.
    package mutating func accept(_ bytes: [UInt8]) throws(GrammarError) -> Bool {
        guard let next = try grammar.following(configuration, bytes, text: text) else { return false }
        configuration = next
        text += bytes
        return true
    }

    /// Whether a token may follow.
    package func allows(_ id: Int32) throws(GrammarError) -> Bool {
        var copy = self
        return try copy.accept(id)
    }

    /// Whether the text so far is whole, and nothing may follow.
    package var isDone: Bool { configuration.phase == .done }

    /// Whether the text so far is whole.
    package var canEnd: Bool { grammar.canEnd(configuration) }
}

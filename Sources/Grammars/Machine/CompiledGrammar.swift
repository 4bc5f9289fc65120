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

    /// Whether so much has been found out about it that it should make place for a fresh one.
    package var isLarge: Bool { size > Self.sizeLimit }
    var size: Int { machine.withLock { $0.size } }
    private static let sizeLimit = 50_000

    func mask(_ c: Configuration, _ text: ReadText) throws(GrammarError) -> TokenMask {
        try machine.withLock { machine throws(GrammarError) in
            machine.table.allow(FormulaTable.tokenBudget)
            return try machine.mask(c, text, vocabulary)
        }
    }

    /// - Returns: nil where the bytes may not follow.
    func following(_ c: Configuration, _ bytes: [UInt8], _ text: ReadText) throws(GrammarError) -> Configuration? {
        try machine.withLock { machine throws(GrammarError) in
            machine.table.allow(FormulaTable.tokenBudget)
            return try machine.following(c, bytes, text)
        }
    }

    func canEnd(_ c: Configuration) -> Bool { machine.withLock { $0.canEnd(c) } }
}

/// How far one answer has followed a grammar. A value: a copy goes its own way.
package struct GrammarMatcher: Sendable {
    private let grammar: CompiledGrammar
    private var configuration: Configuration
    private var text: [UInt8] = []
    private var names = MemberNames()

    package init(_ grammar: CompiledGrammar) {
        self.grammar = grammar
        configuration = grammar.start
    }

    /// The tokens that may follow.
    package func mask() throws(GrammarError) -> TokenMask { try grammar.mask(configuration, read) }

    private var read: ReadText { ReadText(text: text, names: configuration.phase == .key ? names.innermost : []) }

    /// Takes a token in.
    ///
    /// - Returns: whether it may follow; where not, nothing has changed.
    package mutating func accept(_ id: Int32) throws(GrammarError) -> Bool {
        if grammar.vocabulary.endTokens.contains(id) { return canEnd }
        guard let bytes = grammar.vocabulary.bytes(of: id) else { return false }
        return try accept(bytes)
    }

    /// Takes bytes in.
    package mutating func accept(_ bytes: [UInt8]) throws(GrammarError) -> Bool {
        var read = read
        read.isTrial = false
        guard let next = try grammar.following(configuration, bytes, read) else { return false }
        configuration = next
        text += bytes
        names.append(bytes)
        return true
    }

    /// Whether a token may follow.
    package func allows(_ id: Int32) throws(GrammarError) -> Bool {
        if grammar.vocabulary.endTokens.contains(id) { return canEnd }
        guard let bytes = grammar.vocabulary.bytes(of: id) else { return false }
        return try grammar.following(configuration, bytes, read) != nil
    }

    /// Whether the text so far is whole, and nothing may follow.
    package var isDone: Bool { configuration.phase == .done }

    /// Whether the text so far is whole.
    package var canEnd: Bool { grammar.canEnd(configuration) }
}

package import JSON
internal import Synchronization

/// A grammar over a model's tokens. What is found out about it is kept, and shared by all that follow it.
package final class CompiledGrammar: Sendable {
    package let vocabulary: TokenVocabulary
    private let machine: Mutex<RuleMachine>
    let start: [RuleThread]

    /// - Throws: `GrammarError` that names the place and the keyword: what is no grammar, what is not enforced, what nothing
    ///   satisfies.
    package init(_ grammar: Grammar, _ vocabulary: TokenVocabulary) throws(GrammarError) {
        let machine = RuleMachine(try RuleProgram(grammar, vocabulary))
        start = try machine.start()
        self.vocabulary = vocabulary
        self.machine = Mutex(machine)
    }

    /// Of JSON texts of a schema's value.
    package convenience init(schema: JSONValue, _ vocabulary: TokenVocabulary) throws(GrammarError) {
        try self.init(Grammar(schema: schema), vocabulary)
    }

    /// Whether so much has been found out about it that it should make place for a fresh one.
    package var isLarge: Bool { size > Self.sizeLimit }
    var size: Int { machine.withLock { $0.size } }
    private static let sizeLimit = 50_000

    func mask(_ threads: [RuleThread], _ text: RuleText) throws(GrammarError) -> TokenMask {
        try machine.withLock { machine throws(GrammarError) in
            machine.allow(FormulaTable.tokenBudget)
            return try machine.mask(threads, text, vocabulary)
        }
    }

    /// Whether a token may follow.
    func allows(_ id: Int32, _ threads: [RuleThread], _ text: RuleText) throws(GrammarError) -> Bool {
        try machine.withLock { machine throws(GrammarError) in
            try !following(threads, id, text, isTrial: true, machine).isEmpty
        }
    }

    func forced(_ threads: [RuleThread], _ text: RuleText, limit: Int) throws(GrammarError) -> [UInt8] {
        try machine.withLock { machine throws(GrammarError) in
            machine.allow(FormulaTable.tokenBudget)
            return try machine.forced(threads, text, limit: limit)
        }
    }

    /// Takes a token in.
    ///
    /// - Returns: whether it may follow; where not, nothing has changed.
    func advance(_ threads: inout [RuleThread], _ id: Int32, _ text: inout RuleText) throws(GrammarError) -> Bool {
        try machine.withLock { machine throws(GrammarError) in
            let next = try following(threads, id, text, isTrial: false, machine)
            if next.isEmpty { return false }
            text.append(vocabulary.bytes(of: id) ?? [], next, machine.program)
            threads = next
            return true
        }
    }

    /// As ``advance(_:_:_:)``, of bytes.
    func advance(_ threads: inout [RuleThread], bytes: [UInt8], _ text: inout RuleText) throws(GrammarError) -> Bool {
        try machine.withLock { machine throws(GrammarError) in
            machine.allow(FormulaTable.tokenBudget)
            let next = try machine.following(threads, bytes, text, isTrial: false)
            if next.isEmpty { return false }
            text.append(bytes, next, machine.program)
            threads = next
            return true
        }
    }

    private func following(
        _ threads: [RuleThread], _ id: Int32, _ text: RuleText, isTrial: Bool, _ machine: RuleMachine
    ) throws(GrammarError) -> [RuleThread] {
        machine.allow(FormulaTable.tokenBudget)
        if let bytes = vocabulary.bytes(of: id) {
            return try machine.following(threads, bytes, text, isTrial: isTrial)
        }
        return vocabulary.controls[id] == nil ? [] : try machine.step(threads, token: id, text)
    }

    func canEnd(_ threads: [RuleThread]) -> Bool { machine.withLock { $0.canEnd(threads) } }
    func isDone(_ threads: [RuleThread]) -> Bool { machine.withLock { $0.isDone(threads) } }
}

package import Grammars
package import Tensors

/// Chooses a token from logits. A pure function of logits, history, seed, choice and index: nothing is kept that a
/// lost process could lose.
package struct Sampler: Sendable {
    package let parameters: SamplingParameters
    /// Tokens that are never chosen.
    private let suppressed: Set<Int32>
    private let choice: Int
    private var processors: [any LogitsProcessor]
    /// What the answer must be; nil for anything.
    private var matcher: GrammarMatcher?
    /// Whether the answer is not what it must be, and nothing is left to choose.
    private var isAstray = false
    /// Tokens of the answer.
    private var generatedCount = 0

    /// - Parameters:
    ///   - suppressed: tokens that are never chosen; those outside the vocabulary are passed over.
    ///   - grammar: what the answer must be.
    package init(
        _ parameters: SamplingParameters, choice: Int, prompt: [Int32], suppressed: Set<Int32> = [],
        grammar: CompiledGrammar? = nil
    ) {
        matcher = grammar.map(GrammarMatcher.init)
        (self.parameters, self.choice, self.suppressed) = (parameters, choice, suppressed)
        processors = parameters.logitsProcessors(prompt: prompt)
    }

    /// Takes in a token of the answer, sampled or brought by a resume.
    package mutating func advance(_ id: Int32) {
        for index in processors.indices { processors[index].advance(id) }
        // Only a resume brings a token that may not follow.
        if matcher != nil, (try? matcher?.accept(id)) != true { isAstray = true }
        generatedCount += 1
    }

    /// Whether the answer is whole, and nothing may follow.
    package var isDone: Bool { matcher?.isDone ?? false }

    /// The next token from a row of logits `[V]`, as `sample(_:allowed:)` gives it.
    package func sample(_ row: Tensor, allowed: Int) -> Int32? {
        // The likeliest token is found where the logits lie, unless something changes them.
        if parameters.temperature == 0, processors.allSatisfy(\.keepsArgmax) {
            let likeliest = Int32(Device.argmax(row, count: allowed))
            if !suppressed.contains(likeliest), mayFollow(likeliest) { return likeliest }
        }
        return sample(row.floats, allowed: allowed)
    }

    /// Whether the grammar lets a token come next.
    func mayFollow(_ id: Int32) -> Bool {
        guard let matcher else { return true }
        return !isAstray && (try? matcher.allows(id)) == true
    }

    /// The next token: processors in their order, the grammar's mask, temperature, min-p, top-k, top-p, inverse CDF.
    ///
    /// Candidates are ranked by (logit falling, id rising), so that ties are the same everywhere, and only as far as
    /// the draw looks. Where neither top-k nor min-p cuts, the mass of all is summed in 16 lanes over the ids.
    ///
    /// - Parameter allowed: how many ids have a token; logits beyond are ignored.
    /// - Returns: nil where the grammar leaves no token.
    package func sample(_ logits: consuming [Float], allowed: Int) -> Int32? {
        var logits = logits
        if allowed < logits.count { logits.removeLast(logits.count - allowed) }
        for processor in processors { processor.apply(&logits) }
        for index in logits.indices where logits[index].isNaN { logits[index] = -.infinity }
        for id in suppressed where logits.indices.contains(Int(id)) { logits[Int(id)] = -.infinity }
        if let matcher {
            guard !isAstray, let mask = try? matcher.mask() else { return nil }
            mask.apply(to: &logits)
        }
        let likeliest = Self.likeliest(logits)
        if matcher != nil, logits[Int(likeliest)] == -.infinity { return nil }
        if parameters.temperature == 0 || logits[Int(likeliest)] == -.infinity { return likeliest }
        for index in logits.indices { logits[index] /= parameters.temperature }
        var candidates = Candidates(logits, top: logits[Int(likeliest)])
        let cuts = parameters.topK > 0 || parameters.minP > 0
        let total =
            cuts
            ? candidates.cut(topK: parameters.topK, minP: parameters.minP)
            : Device.sumExp(logits, shift: logits[Int(likeliest)])
        let mass = parameters.topP < 1 ? candidates.cut(mass: parameters.topP * total) : total
        let word = Philox(seed: parameters.seed).block((UInt32(generatedCount), UInt32(choice), 0, 0)).0
        return candidates.draw(Philox.unit(word) * mass)
    }

    /// The largest logit's id, the lowest among equals.
    static func likeliest(_ logits: [Float]) -> Int32 {
        var best = 0
        for index in logits.indices where logits[index] > logits[best] { best = index }
        return Int32(best)
    }
}

package import Tensors
import Watermarking

/// Chooses a token from logits. A pure function of logits, history, seed, choice and index: nothing is kept that a
/// lost process could lose.
package struct Sampler: Sendable {
    let parameters: SamplingParameters
    let choice: Int
    /// Tokens that the repetition penalty counts: of the prompt and of the answer.
    private var seen: Set<Int32>
    /// How often each token is in the answer.
    private var generated: [Int32: Int] = [:]
    private var generatedCount = 0
    /// The last tokens of prompt and answer, as many as the watermark looks at.
    private var context: ArraySlice<Int32> = []

    package init(_ parameters: SamplingParameters, choice: Int, prompt: [Int32]) {
        self.parameters = parameters
        self.choice = choice
        seen = parameters.repetitionPenalty == 1 ? [] : Set(prompt)
        if let greenList = parameters.greenList { context = prompt.suffix(greenList.contextWidth) }
    }

    /// Counts a token of the answer, sampled or brought by a resume.
    package mutating func advance(_ id: Int32) {
        if parameters.repetitionPenalty != 1 { seen.insert(id) }
        generated[id, default: 0] += 1
        generatedCount += 1
        if let greenList = parameters.greenList { context = (context + [id]).suffix(greenList.contextWidth) }
    }

    /// The next token from a row of logits `[V]`, as `sample(_:allowed:)` gives it.
    package func sample(_ row: Tensor, allowed: Int) -> Int32 {
        // The likeliest token is found where the logits lie, unless something changes them.
        let isGreedy =
            parameters.temperature == 0 && parameters.logitBias.isEmpty && parameters.repetitionPenalty == 1
            && parameters.presencePenalty == 0 && parameters.frequencyPenalty == 0 && parameters.greenList == nil
        return isGreedy ? Int32(Device.argmax(row, count: allowed)) : sample(row.floats, allowed: allowed)
    }

    /// The next token, in the order: logit bias, penalties, watermark, temperature, min-p, top-k, top-p, inverse CDF.
    ///
    /// Candidates are ranked by (logit falling, id rising), so that ties are the same everywhere, and only as far as
    /// the draw looks. Where neither top-k nor min-p cuts, the mass of all is summed in 16 lanes over the ids.
    ///
    /// - Parameter allowed: how many ids have a token; logits beyond are ignored.
    package func sample(_ logits: consuming [Float], allowed: Int) -> Int32 {
        var logits = logits
        if allowed < logits.count { logits.removeLast(logits.count - allowed) }
        adjust(&logits)
        let likeliest = Self.likeliest(logits)
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

    /// Ranked candidates and their unnormalised probabilities, worked out as far as somebody looks.
    private struct Candidates {
        private let logits: [Float]
        private let top: Float
        private var ranking: Ranking
        private var weights: [Float] = []
        /// No candidate stands at this rank or after it.
        private var end: Int

        init(_ logits: [Float], top: Float) {
            (self.logits, self.top) = (logits, top)
            ranking = Ranking(top: top)
            end = logits.count
        }

        /// The weight at a rank; nil behind the last candidate.
        private mutating func weight(_ rank: Int) -> Float? {
            if rank >= end { return nil }
            if rank < weights.count { return weights[rank] }
            let weight = Device.exp(logits[Int(ranking.id(at: rank, in: logits))] - top)
            if weight == 0 {
                end = rank
                return nil
            }
            weights.append(weight)
            return weight
        }

        /// Keeps `topK` candidates (0: all) that weigh at least `minP`.
        /// - Returns: their mass.
        mutating func cut(topK: Int, minP: Float) -> Float {
            if topK > 0 { end = min(end, topK) }
            var mass: Float = 0
            var rank = 0
            while let weight = weight(rank) {
                if weight < minP {
                    end = rank
                    break
                }
                mass += weight
                rank += 1
            }
            return mass
        }

        /// Keeps the first candidates that together weigh at least `target`.
        /// - Returns: their mass.
        mutating func cut(mass target: Float) -> Float {
            var mass: Float = 0
            var rank = 0
            while let weight = weight(rank) {
                mass += weight
                rank += 1
                if mass >= target { end = rank }
            }
            return mass
        }

        /// The first candidate with more than `target` in itself and those before it.
        mutating func draw(_ target: Float) -> Int32 {
            var sum: Float = 0
            var rank = 0
            while let weight = weight(rank) {
                sum += weight
                if target < sum { break }
                rank += 1
            }
            // Rounding may leave a target at the very end.
            return ranking.id(at: min(rank, max(0, end - 1)), in: logits)
        }
    }

    private func adjust(_ logits: inout [Float]) {
        for (id, bias) in parameters.logitBias where logits.indices.contains(Int(id)) { logits[Int(id)] += bias }
        for id in seen where logits.indices.contains(Int(id)) {
            let logit = logits[Int(id)]
            logits[Int(id)] = logit > 0 ? logit / parameters.repetitionPenalty : logit * parameters.repetitionPenalty
        }
        if parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0 {
            for (id, count) in generated where logits.indices.contains(Int(id)) {
                logits[Int(id)] -= parameters.presencePenalty + parameters.frequencyPenalty * Float(count)
            }
        }
        parameters.greenList?.colours(after: context)?.favour(&logits)
        for index in logits.indices where logits[index].isNaN { logits[index] = -.infinity }
    }

    /// The largest logit's id, the lowest among equals.
    static func likeliest(_ logits: [Float]) -> Int32 {
        var best = 0
        for index in logits.indices where logits[index] > logits[best] { best = index }
        return Int32(best)
    }
}

import Tensors

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

    package init(_ parameters: SamplingParameters, choice: Int, prompt: [Int32]) {
        self.parameters = parameters
        self.choice = choice
        seen = parameters.repetitionPenalty == 1 ? [] : Set(prompt)
    }

    /// Counts a token of the answer, sampled or brought by a resume.
    package mutating func advance(_ id: Int32) {
        if parameters.repetitionPenalty != 1 { seen.insert(id) }
        generated[id, default: 0] += 1
        generatedCount += 1
    }

    /// The next token, in the order: logit bias, penalties, temperature, min-p, top-k, top-p, inverse CDF.
    ///
    /// - Parameter allowed: how many ids have a token; logits beyond are ignored.
    package func sample(_ logits: [Float], allowed: Int) -> Int32 {
        var logits = Array(logits.prefix(allowed))
        adjust(&logits)
        if parameters.temperature == 0 { return Self.likeliest(logits) }
        // Sorted by (logit falling, id rising), so that ties are the same everywhere.
        var order = logits.indices.filter { logits[$0] > -.infinity }.map { Int32($0) }
        order.sort { a, b in
            let (x, y) = (logits[Int(a)], logits[Int(b)])
            return x != y ? x > y : a < b
        }
        guard let first = order.first else { return Self.likeliest(logits) }
        let top = logits[Int(first)]
        if parameters.topK > 0 { order.removeLast(max(0, order.count - parameters.topK)) }
        var weights: [Float] = []
        weights.reserveCapacity(order.count)
        for id in order {
            let weight = Device.exp((logits[Int(id)] - top) / parameters.temperature)
            if weight < parameters.minP || weight == 0 { break }
            weights.append(weight)
        }
        return draw(order, weights)
    }

    private func draw(_ order: [Int32], _ weights: [Float]) -> Int32 {
        let total = weights.reduce(0, +)
        var kept = weights.count
        var mass: Float = 0
        if parameters.topP < 1 {
            for (index, weight) in weights.enumerated() {
                mass += weight
                if mass >= parameters.topP * total {
                    kept = index + 1
                    break
                }
            }
        } else {
            mass = total
        }
        let word = Philox(seed: parameters.seed).block((UInt32(generatedCount), UInt32(choice), 0, 0)).0
        let target = Philox.unit(word) * mass
        var sum: Float = 0
        for index in 0..<kept {
            sum += weights[index]
            if target < sum { return order[index] }
        }
        return order[max(0, kept - 1)]
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
        for index in logits.indices where logits[index].isNaN { logits[index] = -.infinity }
    }

    /// The largest logit's id, the lowest among equals.
    static func likeliest(_ logits: [Float]) -> Int32 {
        var best = 0
        for index in logits.indices where logits[index] > logits[best] { best = index }
        return Int32(best)
    }
}

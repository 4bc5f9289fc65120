import Tensors

/// The tokens of a row of logits, ranked by (logit falling, id rising), with their unnormalised probabilities; worked out
/// only as far as somebody looks. Top-k, min-p (arXiv 2407.01082) and top-p (arXiv 1904.09751) cut its end off.
struct Candidates {
    private let logits: [Float]
    private let top: Float
    private var ranking: Ranking
    private var weights: [Float] = []
    /// No candidate stands at this rank or after it.
    private var end: Int

    /// - Parameter top: the largest of the logits.
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

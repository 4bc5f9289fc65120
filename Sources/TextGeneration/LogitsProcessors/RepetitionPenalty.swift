/// CTRL's repetition penalty (arXiv 1909.05858, §4.1): divides positive logits of tokens that prompt or answer have, and
/// multiplies negative ones.
struct RepetitionPenalty: LogitsProcessor {
    private let penalty: Float
    private var seen: Set<Int32>

    init(_ penalty: Float, prompt: [Int32]) { (self.penalty, seen) = (penalty, Set(prompt)) }

    var keepsArgmax: Bool { penalty == 1 }

    mutating func advance(_ id: Int32) { seen.insert(id) }

    func apply(_ logits: inout [Float]) {
        for id in seen where logits.indices.contains(Int(id)) {
            let logit = logits[Int(id)]
            logits[Int(id)] = logit > 0 ? logit / penalty : logit * penalty
        }
    }
}

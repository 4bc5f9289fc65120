/// OpenAI's `presence_penalty` and `frequency_penalty`: subtracts presence + frequency · count from the logits of tokens
/// that the answer has.
struct OccurrencePenalty: LogitsProcessor {
    private let presence: Float
    private let frequency: Float
    /// How often each token is in the answer.
    private var counts: [Int32: Int] = [:]

    init(presence: Float, frequency: Float) { (self.presence, self.frequency) = (presence, frequency) }

    var keepsArgmax: Bool { presence == 0 && frequency == 0 }

    mutating func advance(_ id: Int32) { counts[id, default: 0] += 1 }

    func apply(_ logits: inout [Float]) {
        for (id, count) in counts where logits.indices.contains(Int(id)) {
            logits[Int(id)] -= presence + frequency * Float(count)
        }
    }
}

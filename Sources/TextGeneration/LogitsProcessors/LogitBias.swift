/// OpenAI's `logit_bias`: adds a number to the logits of some tokens.
struct LogitBias: LogitsProcessor {
    private let bias: [Int32: Float]

    init(_ bias: [Int32: Float]) { self.bias = bias }

    var keepsArgmax: Bool { bias.isEmpty }

    mutating func advance(_ id: Int32) {}

    func apply(_ logits: inout [Float]) {
        for (id, bias) in bias where logits.indices.contains(Int(id)) { logits[Int(id)] += bias }
    }
}

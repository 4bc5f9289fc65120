import Autograd
import Tensors

/// A text that goes through a model, and what its rows must predict.
struct PassText {
    var ids: [Int32]
    /// By row, ascending.
    var targets: [(row: Int, token: Int32)]

    /// - Parameter next: what follows each of the first ids.
    init(ids: [Int32], next: [Int32]) {
        precondition(next.count <= ids.count, "\(next.count) targets for \(ids.count) rows")
        (self.ids, targets) = (ids, next.enumerated().map { ($0.offset, $0.element) })
    }

    /// A text of which the answers are learned; its last token predicts nothing and is not read.
    init(_ text: TrainingText) {
        ids = text.ids.dropLast()
        targets = text.answers.joined().map { ($0 - 1, text.ids[$0]) }
    }
}

/// Texts through a model all of whose weights are trained, some at a time, so that memory does not grow with the batch.
struct DecoderPass {
    let model: TrainedDecoder
    private let memory = TapeMemory()
    private let device: Device

    init(_ model: TrainedDecoder, on device: Device) { (self.model, self.device) = (model, device) }

    /// Adds the gradient of weight · Σ cross-entropy to the model's parameters.
    ///
    /// - Parameter dropout: its random numbers, those of the first pass; nil where nothing is dropped.
    /// - Returns: Σ cross-entropy.
    func addGradients(
        _ texts: [PassText], weight: Double, dropout: DropoutStream?
    ) throws(TensorError) -> Double {
        try sum(texts, weight: weight, dropout: dropout)
    }

    /// Σ cross-entropy of texts that are not learned.
    func loss(_ texts: [PassText]) throws(TensorError) -> Double { try sum(texts, weight: nil, dropout: nil) }

    private func sum(
        _ texts: [PassText], weight: Double?, dropout: DropoutStream?
    ) throws(TensorError) -> Double {
        var sum = 0.0, stream = dropout
        for run in ModelPass.runs(texts.count, length: { texts[$0].ids.count }) {
            memory.reset()
            let tape = Tape(on: device, memory: weight == nil ? nil : memory)
            let hidden = try model(texts[run].map(\.ids), dropout: stream, tape)
            var targets: [Target] = [], first = 0
            for text in texts[run] {
                targets += text.targets.map {
                    Target(row: first + $0.row, token: $0.token, weight: Float(weight ?? 0))
                }
                first += text.ids.count
            }
            let losses = try tape.losses(
                hidden, head: .trained(model.head), targets: targets, addsGradient: weight != nil)
            try tape.backward()
            sum += losses.reduce(0) { $0 + Double($1) }
            stream?.pass += 1
        }
        return sum
    }
}

import Autograd
import Tensors

/// Texts through a model, some at a time, so that memory does not grow with the batch.
struct ModelPass {
    let model: TrainableDecoder
    let memory: TapeMemory
    let device: Device

    /// Rows that go through the model together, unless one text has more.
    static let rows = 1_024

    /// Cuts `0..<count` into runs that fit a pass.
    ///
    /// - Parameter length: the rows of each.
    static func runs(_ count: Int, length: (Int) -> Int) -> [Range<Int>] {
        var runs: [Range<Int>] = [], first = 0, filled = 0
        for index in 0..<count {
            if filled > 0, filled + length(index) > rows {
                runs.append(first..<index)
                (first, filled) = (index, 0)
            }
            filled += length(index)
        }
        return first < count ? runs + [first..<count] : runs
    }

    /// The row that predicts each answer token, and that token, text by text.
    private func targets(_ texts: [TrainingText]) -> [[Target]] {
        var first = 0
        return texts.map { text in
            defer { first += text.ids.count }
            return text.answers.joined().map { Target(row: first + $0 - 1, token: text.ids[$0]) }
        }
    }

    /// log p of each text's answers, without a way back.
    func logProbabilities(
        _ texts: [TrainingText], _ adapter: AdapterParameters?
    ) throws(TensorError) -> [Double] {
        var sums: [Double] = []
        for run in Self.runs(texts.count, length: { texts[$0].ids.count }) {
            let texts = Array(texts[run]), tape = Tape(on: device, memory: nil)
            let hidden = try model(texts.map(\.ids), adapter, tape)
            sums += try self.sums(of: hidden, targets(texts), tape)
        }
        return sums
    }

    /// log p of the answers of texts that fit one pass, of which `slopes` makes numbers; and then, where that is wanted, the
    /// gradient of Σ slope · log p.
    func logProbabilities(
        _ texts: [TrainingText], _ adapter: AdapterParameters, addsGradients: Bool, slopes: ([Double]) -> [Double]
    ) throws(TensorError) -> [Double] {
        memory.reset()
        let tape = Tape(on: device, memory: addsGradients ? memory : nil)
        let hidden = try model(texts.map(\.ids), adapter, tape)
        let targets = targets(texts), sums = try sums(of: hidden, targets, tape), own = slopes(sums)
        guard addsGradients else { return sums }
        let weighted = zip(targets, own).flatMap { targets, slope in
            // log p is the negative of the cross-entropy.
            targets.map { Target(row: $0.row, token: $0.token, weight: Float(-slope)) }
        }
        try goBack(hidden, weighted, tape)
        return sums
    }

    /// Adds the gradient of weight · Σ cross-entropy over the answers of texts that fit one pass.
    ///
    /// - Returns: Σ cross-entropy.
    func addGradients(
        _ texts: [TrainingText], _ adapter: AdapterParameters, weight: Double
    ) throws(TensorError) -> Double {
        memory.reset()
        let tape = Tape(on: device, memory: memory)
        let hidden = try model(texts.map(\.ids), adapter, tape)
        let weighted = targets(texts).joined().map { Target(row: $0.row, token: $0.token, weight: Float(weight)) }
        return try goBack(hidden, weighted, tape).reduce(0) { $0 + Double($1) }
    }

    private func sums(of hidden: Variable, _ targets: [[Target]], _ tape: Tape) throws(TensorError) -> [Double] {
        let losses = try self.losses(hidden, targets.flatMap { $0 }, tape, addsGradient: false)
        var first = 0
        return targets.map { targets in
            defer { first += targets.count }
            return -losses[first..<first + targets.count].reduce(0) { $0 + Double($1) }
        }
    }

    @discardableResult
    private func goBack(_ hidden: Variable, _ targets: [Target], _ tape: Tape) throws(TensorError) -> [Float] {
        let losses = try self.losses(hidden, targets, tape, addsGradient: true)
        try tape.backward()
        return losses
    }

    private func losses(
        _ hidden: Variable, _ targets: [Target], _ tape: Tape, addsGradient: Bool
    ) throws(TensorError) -> [Float] {
        try tape.losses(
            hidden, head: .frozen(model.parts.head), logitScale: model.parts.logitScale, targets: targets,
            addsGradient: addsGradient)
    }
}

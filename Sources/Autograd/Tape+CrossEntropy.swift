package import Tensors

/// What a row must predict.
package struct Target: Sendable {
    package var row: Int
    package var token: Int32
    /// What the gradient of its loss is multiplied by.
    package var weight: Float

    package init(row: Int, token: Int32, weight: Float = 0) {
        (self.row, self.token, self.weight) = (row, token, weight)
    }
}

extension Tape {
    /// Logits that are in memory at a time.
    private static let logitsAtOnce = 4 << 20

    /// The cross-entropy −log p(token) of each target, from the normed rows `hidden` `[R, C]` and a frozen head `[V, C]`. Only
    /// a few rows' logits are in memory at a time, and rows without a target have none.
    ///
    /// - Parameters:
    ///   - targets: each row once, at most.
    ///   - logitScale: what logits are multiplied by.
    ///   - addsGradient: whether Σ weight · loss is what the way back begins with.
    package func losses(
        _ hidden: Variable, head: PackedMatrix, logitScale: Float = 1, targets: [Target], addsGradient: Bool
    ) throws(TensorError) -> [Float] {
        precondition(
            hidden.width == head.depth && targets.allSatisfy { $0.row >= 0 && $0.row < hidden.rows },
            "targets of [\(hidden.rows), \(hidden.width)] for a head of \(head.depth)")
        guard !targets.isEmpty else { return [] }
        let weight = try device.inFloats(head)
        let turned = addsGradient ? try device.turned(head) : nil
        let value = try hidden.value()
        let gradient = turned == nil ? nil : try Tensor(zeros: [hidden.rows, hidden.width])
        var losses: [Float] = []
        let portion = max(8, Self.logitsAtOnce / head.columns)
        for first in stride(from: 0, to: targets.count, by: portion) {
            let part = targets[first..<min(first + portion, targets.count)], rows = part.map(\.row)
            let logits = try device.makeRows(rows.count, width: head.columns)  // [portion, V]
            try device.matmul(try device.select(rows, from: value), weight, into: logits)
            if logitScale != 1 { device.scale(logits, by: logitScale, into: logits) }
            losses += device.crossEntropy(
                logits, targets: part.map(\.token), weights: turned == nil ? nil : part.map { $0.weight * logitScale })
            guard let turned, let gradient else { continue }
            let own = try device.makeRows(rows.count, width: hidden.width)
            try device.matmul(logits, turned, into: own)
            gradient.replaceRows(rows, with: own)
        }
        if let gradient { hidden.receive(gradient, on: device) }
        return losses
    }
}

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

/// What turns rows into logits, `[V, C]`.
package enum OutputHead {
    case frozen(PackedMatrix)
    /// One that is trained, which may be the embedding.
    case trained(Parameter)

    var columns: Int {
        switch self {
        case .frozen(let matrix): matrix.columns
        case .trained(let parameter): parameter.value.rowCount
        }
    }

    var depth: Int {
        switch self {
        case .frozen(let matrix): matrix.depth
        case .trained(let parameter): parameter.value.width
        }
    }

    /// The matrix in f32, and the same with rows and columns exchanged.
    func matrices(
        needsTurned: Bool, on device: Device
    ) throws(TensorError) -> (plain: PackedMatrix, turned: PackedMatrix?) {
        switch self {
        case .frozen(let matrix): (try device.inFloats(matrix), needsTurned ? try device.turned(matrix) : nil)
        case .trained(let parameter):
            (
                try PackedMatrix(parameter.value, on: device),
                needsTurned ? try PackedMatrix(parameter.value, transposed: true, on: device) : nil
            )
        }
    }
}

extension Tape {
    /// Logits that are in memory at a time. A trained head's gradient is read and written for each portion of rows: more
    /// rows, fewer times.
    private static let (logitsAtOnce, logitsAtOnceOfTrained) = (4 << 20, 12 << 20)

    /// The cross-entropy −log p(token) of each target, from the normed rows `hidden` `[R, C]`. Only a few rows' logits are in
    /// memory at a time, and rows without a target have none.
    ///
    /// - Parameters:
    ///   - targets: each row once, at most.
    ///   - logitScale: what logits are multiplied by.
    ///   - addsGradient: whether Σ weight · loss is what the way back begins with; a trained head has its gradient at once.
    package func losses(
        _ hidden: Variable, head: OutputHead, logitScale: Float = 1, targets: [Target], addsGradient: Bool
    ) throws(TensorError) -> [Float] {
        precondition(
            hidden.width == head.depth && targets.allSatisfy { $0.row >= 0 && $0.row < hidden.rows },
            "targets of [\(hidden.rows), \(hidden.width)] for a head of \(head.depth)")
        guard !targets.isEmpty else { return [] }
        let (weight, turned) = try head.matrices(needsTurned: addsGradient, on: device)
        let value = try hidden.value()
        let gradient = turned == nil ? nil : try Tensor(zeros: [hidden.rows, hidden.width])
        var losses: [Float] = [], limit = Self.logitsAtOnce
        if case .trained = head { limit = Self.logitsAtOnceOfTrained }
        let portion = max(8, limit / head.columns)
        for first in stride(from: 0, to: targets.count, by: portion) {
            let part = targets[first..<min(first + portion, targets.count)], rows = part.map(\.row)
            let logits = try device.makeRows(rows.count, width: head.columns)  // [portion, V]
            let selected = try device.select(rows, from: value)  // [portion, C]
            try device.matmul(selected, weight, into: logits)
            if logitScale != 1 { device.scale(logits, by: logitScale, into: logits) }
            losses += device.crossEntropy(
                logits, targets: part.map(\.token), weights: turned == nil ? nil : part.map { $0.weight * logitScale })
            guard let turned, let gradient else { continue }
            let own = try device.makeRows(rows.count, width: hidden.width)
            try device.matmul(logits, turned, into: own)
            gradient.replaceRows(rows, with: own)
            if case .trained(let parameter) = head {
                try device.addProduct(logits, selected, to: parameter.gradient)
            }
        }
        if let gradient { hidden.receive(gradient, on: device) }
        return losses
    }
}

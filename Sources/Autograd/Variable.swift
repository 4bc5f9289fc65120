package import Tensors

/// Rows of numbers on the way from a model's input to its loss, and their gradient on the way back.
package final class Variable {
    package let rows: Int
    package let width: Int
    /// Whether something below it is trained.
    package let needsGradient: Bool
    private var stored: Tensor?
    private let remake: (() throws(TensorError) -> Tensor)?
    /// What the steps of the backward pass have added so far; nil for nothing.
    private(set) var gradient: Tensor?

    /// - Parameter remake: computes the value again, where it need not be kept.
    package init(_ value: Tensor, needsGradient: Bool, remake: (() throws(TensorError) -> Tensor)? = nil) {
        (rows, width, stored) = (value.rowCount, value.width, value)
        (self.needsGradient, self.remake) = (needsGradient, remake)
    }

    /// `[rows, width]`; computed again where it was forgotten.
    package func value() throws(TensorError) -> Tensor {
        if let stored { return stored }
        guard let remake else {
            preconditionFailure("a value of [\(rows), \(width)] that cannot be made again is gone")
        }
        let made = try remake()
        stored = made
        return made
    }

    /// Gives the memory of a value back that can be computed again.
    package func forget() {
        if remake != nil { stored = nil }
    }

    /// Adds a gradient `[rows, width]`, whose memory belongs to this variable from now on.
    package func receive(_ gradient: Tensor, on device: Device) {
        precondition(gradient.count == rows * width, "a gradient \(gradient.shape) for [\(rows), \(width)]")
        guard needsGradient else { return }
        guard let own = self.gradient else { return self.gradient = gradient }
        device.combine(own, gradient, into: own)
    }

    /// Lets `add` write the gradient, or add to it: it is told the sum so far, which may be nil, and where the new one
    /// goes, which may be the same.
    func accumulate(
        on device: Device, _ add: (_ sum: Tensor?, _ into: Tensor) throws(TensorError) -> Void
    ) throws(TensorError) {
        guard needsGradient else { return }
        let target = if let gradient { gradient } else { try device.makeRows(rows, width: width) }
        try add(gradient, target)
        gradient = target
    }

    /// The gradient, which nobody has any more afterwards.
    func takeGradient() -> Tensor? {
        defer { gradient = nil }
        return gradient
    }
}

/// A tensor that is trained.
package final class Parameter {
    package let name: String
    package let value: Tensor
    /// The sum since it was last set to zero.
    package let gradient: Tensor
    /// Whether weight decay is for it; norms and biases are left alone, as is usual.
    package let isDecayed: Bool

    package init(_ name: String, _ value: Tensor, isDecayed: Bool = true) throws(TensorError) {
        (self.name, self.value, self.isDecayed) = (name, value, isDecayed)
        gradient = try Tensor(zeros: value.shape)
    }

    /// Sets the gradient to zero.
    package func clearGradient() { gradient.clear() }
}

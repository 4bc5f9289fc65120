package import Tensors

/// Which random numbers an application of dropout draws: those of a step of a run, of a pass in it, of a place in the model.
package struct DropoutStream: Sendable, Hashable {
    package var seed: UInt64
    package var step: UInt32
    package var pass: UInt32

    package init(seed: UInt64, step: UInt32, pass: UInt32) { (self.seed, self.step, self.pass) = (seed, step, pass) }
}

extension Tape {
    /// Dropout (arXiv 1207.0580); what was dropped is computed again on the way back.
    ///
    /// - Parameters:
    ///   - rate: within [0, 1).
    ///   - place: of this application in the model; each of a pass has its own.
    package func dropout(
        _ x: Variable, rate: Float, _ stream: DropoutStream, place: UInt32
    ) throws(TensorError) -> Variable {
        guard rate > 0 else { return x }
        let y = try keep(x.rows, width: x.width), device = device
        func drop(_ x: Tensor, into y: Tensor) {
            device.dropout(
                x, rate: rate, seed: stream.seed, counter: (stream.step, stream.pass, place), into: y)
        }
        drop(try x.value(), into: y)
        let result = Variable(y, needsGradient: x.needsGradient)
        step(result) { dy in
            drop(dy, into: dy)
            x.receive(dy, on: device)
        }
        return result
    }
}

package import Tensors

extension Tape {
    /// Computes `body` of x and keeps its result alone: on the way back `body` is computed again, with what its own way back
    /// needs (activation checkpointing, arXiv 1604.06174). The bits are those of `body` without it.
    ///
    /// - Parameters:
    ///   - memory: for one `body` at a time; bodies that follow one another share it.
    ///   - body: the same whenever it is called; of variables it uses x alone.
    package func recomputed(
        _ x: Variable, memory: TapeMemory, _ body: @escaping (Variable, Tape) throws(TensorError) -> Variable
    ) throws(TensorError) -> Variable {
        guard records else { return try body(x, self) }
        let passing = try body(Variable(try x.value(), needsGradient: x.needsGradient), Tape(on: device, memory: nil))
        let kept = try keep(passing.rows, width: passing.width), device = device
        kept.copy(from: try passing.value())
        let result = Variable(kept, needsGradient: passing.needsGradient)
        step(result) { dy throws(TensorError) in
            memory.reset()
            let tape = Tape(on: device, memory: memory)
            let input = Variable(try x.value(), needsGradient: x.needsGradient)
            try body(input, tape).receive(dy, on: device)
            try tape.backward()
            if let gradient = input.takeGradient() { x.receive(gradient, on: device) }
        }
        return result
    }
}

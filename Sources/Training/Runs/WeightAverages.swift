import Autograd
import Tensors

/// Exponential moving averages of weights (EMA): a ← decay · a + (1 − decay) · w after each step, from the first weights on.
struct WeightAverages {
    let decay: Double
    /// In the order of the parameters.
    let values: [Tensor]

    init(_ parameters: [Parameter], decay: Double) throws(TensorError) {
        self.decay = decay
        values = try parameters.map { parameter throws(TensorError) in
            let average = try Tensor(uninitialized: parameter.value.shape)
            average.copy(from: parameter.value)
            return average
        }
    }

    func update(_ parameters: [Parameter], on device: Device) {
        for (average, parameter) in zip(values, parameters) {
            device.combine(average, parameter.value, scaleA: Float(decay), scaleB: Float(1 - decay), into: average)
        }
    }
}

package import Autograd
package import Tensors

/// AdamW (arXiv 1711.05101) over parameters, as `torch.optim.AdamW` computes it, after clipping by the norm of all
/// gradients together, as `torch.nn.utils.clip_grad_norm_` does.
package struct AdamW {
    package struct Configuration: Sendable, Hashable, Codable {
        package var learningRate = 2e-4
        package var weightDecay = 0.0
        package var beta1 = 0.9
        package var beta2 = 0.999
        package var epsilon = 1e-8
        /// The norm that gradients have at most; 0 for any.
        package var clip = 1.0

        package init() {}
    }

    /// What is known of a parameter's gradients, both of its shape.
    package struct Moments {
        package let momentum: Tensor
        package let variance: Tensor
    }

    package let configuration: Configuration
    /// In the order of the parameters.
    package let moments: [Moments]
    /// Steps that were made.
    package private(set) var steps: Int

    /// - Parameters:
    ///   - steps: that were made before.
    ///   - moments: what these left; zeros by default.
    package init(
        _ configuration: Configuration, _ parameters: [Parameter], steps: Int = 0, moments: [Moments]? = nil
    ) throws(TensorError) {
        (self.configuration, self.steps) = (configuration, steps)
        if let moments {
            self.moments = moments
        } else {
            self.moments = try parameters.map { parameter throws(TensorError) in
                let shape = parameter.value.shape
                return Moments(momentum: try Tensor(zeros: shape), variance: try Tensor(zeros: shape))
            }
        }
    }

    /// √Σ g² over the gradients of all parameters.
    package static func gradientNorm(_ parameters: [Parameter], on device: Device) -> Double {
        parameters.reduce(0) { $0 + device.sumOfSquares($1.gradient) }.squareRoot()
    }

    /// Makes a step, and sets the gradients to zero.
    ///
    /// - Parameters:
    ///   - norm: of the gradients; finite.
    ///   - factor: what the learning rate is multiplied by.
    package mutating func step(_ parameters: [Parameter], norm: Double, factor: Double, on device: Device) {
        precondition(parameters.count == moments.count && norm.isFinite, "a step by gradients of norm \(norm)")
        steps += 1
        let clipped = configuration.clip > 0 ? min(1, configuration.clip / (norm + 1e-6)) : 1
        var step = Device.AdamWStep(
            number: steps, gradientScale: Float(clipped), learningRate: configuration.learningRate * factor,
            weightDecay: configuration.weightDecay, beta1: configuration.beta1, beta2: configuration.beta2,
            epsilon: configuration.epsilon)
        for (parameter, moments) in zip(parameters, moments) {
            step.weightDecay = parameter.isDecayed ? configuration.weightDecay : 0
            device.adamW(
                step, gradient: parameter.gradient, parameters: parameter.value, momentum: moments.momentum,
                variance: moments.variance)
            parameter.clearGradient()
        }
    }
}

internal import CKernels

extension Device {
    /// Cross-entropy of each row of logits `[M, V]`, which it uses up: −log softmax(row)[target].
    ///
    /// - Parameters:
    ///   - weights: what the gradient of each row's loss is multiplied by: the rows become that gradient,
    ///     weight · (softmax − one at the target). Without them they hold nothing of use afterwards.
    /// - Returns: the losses, one for each row; not a number where a row's largest logit is not finite.
    package func crossEntropy(_ logits: Tensor, targets: [Int32], weights: [Float]? = nil) -> [Float] {
        precondition(
            targets.count == logits.rowCount && (weights.map { $0.count == targets.count } ?? true)
                && targets.allSatisfy { $0 >= 0 && Int($0) < logits.width },
            "\(targets.count) targets for logits \(logits.shape)")
        return Array(unsafeUninitializedCapacity: targets.count) { losses, count in
            targets.withUnsafeBufferPointer { targets in
                func compute(_ weights: UnsafePointer<Float>?) {
                    let args = nephele_cross_entropy_f32_args(
                        isa: instructionSet.isa, logits: logits.f32, targets: targets.baseAddress, weights: weights,
                        losses: losses.baseAddress, width: logits.width)
                    run(nephele_cross_entropy_f32, args, count: targets.count)
                }
                guard let weights else { return compute(nil) }
                weights.withUnsafeBufferPointer { compute($0.baseAddress) }
            }
            count = targets.count
        }
    }

    /// Σ x²: blocks of 4,096 elements in f32, these in f64, in their order.
    package func sumOfSquares(_ x: Tensor) -> Double {
        let block = Int(NEPHELE_SQUARES_BLOCK), blocks = (x.count + block - 1) / block
        let sums = [Float](unsafeUninitializedCapacity: blocks) { sums, count in
            let args = nephele_squares_f32_args(
                isa: instructionSet.isa, x: x.f32, sums: sums.baseAddress, count: x.count)
            run(nephele_squares_f32, args, count: blocks, grain: 4)
            count = blocks
        }
        return sums.reduce(0) { $0 + Double($1) }
    }

    /// What one step of AdamW is told.
    package struct AdamWStep: Sendable {
        /// What gradients are multiplied by first.
        package var gradientScale: Float
        package var learningRate: Double
        package var weightDecay: Double
        package var beta1: Double
        package var beta2: Double
        package var epsilon: Double
        /// t, from 1.
        package var number: Int

        package init(
            number: Int, gradientScale: Float, learningRate: Double, weightDecay: Double, beta1: Double,
            beta2: Double, epsilon: Double
        ) {
            (self.number, self.gradientScale) = (number, gradientScale)
            (self.learningRate, self.weightDecay) = (learningRate, weightDecay)
            (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
        }
    }

    /// A step of AdamW (arXiv 1711.05101, algorithm 2), in PyTorch's order of operations.
    package func adamW(
        _ step: AdamWStep, gradient: Tensor, parameters: Tensor, momentum: Tensor, variance: Tensor
    ) {
        precondition(
            gradient.count == parameters.count && momentum.count == parameters.count
                && variance.count == parameters.count,
            "a step of \(parameters.shape) by \(gradient.shape), \(momentum.shape), \(variance.shape)")
        let first = 1 - power(step.beta1, step.number), second = 1 - power(step.beta2, step.number)
        let args = nephele_adamw_f32_args(
            isa: instructionSet.isa, parameters: parameters.f32, momentum: momentum.f32, variance: variance.f32,
            gradient: gradient.f32, gradient_scale: step.gradientScale,
            decay: Float(1 - step.learningRate * step.weightDecay), beta1_rest: Float(1 - step.beta1),
            beta2: Float(step.beta2), beta2_rest: Float(1 - step.beta2), step: Float(step.learningRate / first),
            correction: Float(second.squareRoot()), epsilon: Float(step.epsilon))
        run(nephele_adamw_f32, args, count: parameters.count, grain: 16_384)
    }

    /// By multiplications alone: the same bits on every C library.
    private func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, factor, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return result
    }
}

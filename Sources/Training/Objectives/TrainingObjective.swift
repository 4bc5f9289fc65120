import Autograd
package import Tensors

/// What is minimized: a loss of a batch's samples, and its gradient by the adapter.
package struct TrainingObjective {
    package struct Configuration: Sendable, Hashable, Codable {
        package var method = SampleFile.Method.sft
        /// How strongly DPO and KTO hold the model to its reference.
        package var beta = 0.1
        /// What KTO weighs desirable and undesirable completions by.
        package var desirableWeight = 1.0
        package var undesirableWeight = 1.0
        /// Tokens that a text may have.
        package var maxLength = Int.max

        package init() {}
    }

    /// What a batch came to.
    package struct Result: Sendable {
        package var loss: Double
        /// How much more likely than the reference preferred completions became, times β, and others; nil for SFT.
        package var chosenReward: Double?
        package var rejectedReward: Double?
    }

    private let configuration: Configuration
    private let pass: ModelPass
    private let reference: AdapterParameters?

    /// - Parameter reference: the adapter that the model is compared with; nil for the model itself.
    package init(
        _ configuration: Configuration, _ model: TrainableDecoder, reference: AdapterParameters?, on device: Device
    ) {
        (self.configuration, self.reference) = (configuration, reference)
        pass = ModelPass(model: model, memory: TapeMemory(), device: device)
    }

    /// Adds the gradient of the batch's loss to the adapter's.
    package func addGradients(
        _ samples: [TrainingSample], _ adapter: AdapterParameters
    ) throws(TensorError) -> Result {
        try compute(samples, adapter, addsGradients: true)
    }

    /// The loss of samples that are not learned: of KTO the mean over batches, as the loss of a batch has it.
    package func loss(
        _ samples: [TrainingSample], _ adapter: AdapterParameters, batch: Int
    ) throws(TensorError) -> Double {
        guard configuration.method == .kto else {
            return try compute(samples, adapter, addsGradients: false).loss
        }
        var sum = 0.0
        for first in stride(from: 0, to: samples.count, by: batch) {
            let part = Array(samples[first..<min(first + batch, samples.count)])
            sum += try compute(part, adapter, addsGradients: false).loss * Double(part.count)
        }
        return sum / Double(samples.count)
    }

    private func compute(
        _ samples: [TrainingSample], _ adapter: AdapterParameters, addsGradients: Bool
    ) throws(TensorError) -> Result {
        switch configuration.method {
        case .sft: try answers(samples, adapter, addsGradients)
        case .dpo: try preferences(samples, adapter, addsGradients)
        case .kto: try judgements(samples, adapter, addsGradients)
        }
    }

    /// The mean over all answer tokens of the batch, as transformers' trainer has it.
    private func answers(
        _ samples: [TrainingSample], _ adapter: AdapterParameters, _ addsGradients: Bool
    ) throws(TensorError) -> Result {
        let texts = samples.flatMap(\.texts), weight = 1 / Double(max(1, texts.reduce(0) { $0 + $1.answerCount }))
        guard addsGradients else {
            return Result(loss: -weight * (try pass.logProbabilities(texts, adapter).reduce(0, +)))
        }
        var sum = 0.0
        for run in ModelPass.runs(texts.count, length: { texts[$0].ids.count }) {
            sum += try pass.addGradients(Array(texts[run]), adapter, weight: weight)
        }
        return Result(loss: sum * weight)
    }

    /// The mean over pairs.
    private func preferences(
        _ samples: [TrainingSample], _ adapter: AdapterParameters, _ addsGradients: Bool
    ) throws(TensorError) -> Result {
        let beta = configuration.beta, count = Double(samples.count)
        var (loss, chosen, rejected) = (0.0, 0.0, 0.0)
        for run in ModelPass.runs(samples.count, length: { samples[$0].texts.reduce(0) { $0 + $1.ids.count } }) {
            let texts = samples[run].flatMap(\.texts)
            let references = try pass.logProbabilities(texts, reference)
            let policies = try pass.logProbabilities(texts, adapter, addsGradients: addsGradients) { policies in
                stride(from: 0, to: policies.count, by: 2).flatMap { first -> [Double] in
                    let pair = PreferenceLosses.dpo(
                        policy: (policies[first], policies[first + 1]),
                        reference: (references[first], references[first + 1]), beta: beta)
                    loss += pair.loss / count
                    return [pair.chosenSlope / count, pair.rejectedSlope / count]
                }
            }
            for (index, (policy, reference)) in zip(policies, references).enumerated() {
                let reward = beta * (policy - reference) / count
                if index % 2 == 0 { chosen += reward } else { rejected += reward }
            }
        }
        return Result(loss: loss, chosenReward: chosen, rejectedReward: rejected)
    }

    /// The mean over completions. How far the policy has gone from the reference is measured, as in TRL, by each prompt with
    /// the completion of the one before it.
    private func judgements(
        _ samples: [TrainingSample], _ adapter: AdapterParameters, _ addsGradients: Bool
    ) throws(TensorError) -> Result {
        let judged = samples.compactMap { sample -> (text: TrainingText, isDesirable: Bool)? in
            if case .judgement(let text, let isDesirable) = sample.content { (text, isDesirable) } else { nil }
        }
        let texts = judged.map(\.text), mismatched = Self.mismatched(texts, maxLength: configuration.maxLength)
        let divergence = PreferenceLosses.divergence(
            policy: try pass.logProbabilities(mismatched, adapter),
            reference: try pass.logProbabilities(mismatched, reference))
        let references = try pass.logProbabilities(texts, reference), count = Double(judged.count)
        var loss = 0.0, rewards: [Bool: [Double]] = [:]
        for run in ModelPass.runs(texts.count, length: { texts[$0].ids.count }) {
            _ = try pass.logProbabilities(Array(texts[run]), adapter, addsGradients: addsGradients) { policies in
                zip(run, policies).map { index, policy in
                    let isDesirable = judged[index].isDesirable
                    let own = PreferenceLosses.kto(
                        policy: policy, reference: references[index], isDesirable: isDesirable, divergence: divergence,
                        beta: configuration.beta,
                        weight: isDesirable ? configuration.desirableWeight : configuration.undesirableWeight)
                    loss += own.loss / count
                    rewards[isDesirable, default: []].append(configuration.beta * (policy - references[index]))
                    return own.slope / count
                }
            }
        }
        func mean(_ isDesirable: Bool) -> Double? {
            rewards[isDesirable].map { $0.reduce(0, +) / Double($0.count) }
        }
        return Result(loss: loss, chosenReward: mean(true), rejectedReward: mean(false))
    }

    /// Each prompt with the completion of the text before it; the first with the last one's. What is then too long is cut.
    static func mismatched(_ texts: [TrainingText], maxLength: Int) -> [TrainingText] {
        texts.indices.map { index in
            let (own, other) = (texts[index], texts[index == 0 ? texts.count - 1 : index - 1])
            let start = own.answers[0].lowerBound
            let completion = other.ids[other.answers[0].lowerBound...]
            let ids = own.ids[..<start] + completion
            return TrainingText(ids: Array(ids), answers: [start..<ids.count]).cut(to: maxLength)
        }
    }
}

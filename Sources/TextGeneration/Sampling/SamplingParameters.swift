package import TextModels
package import Watermarking

/// How tokens are chosen. Every value has been checked: the type proves it.
package struct SamplingParameters: Sendable, Hashable {
    /// 0 chooses the likeliest token; otherwise logits are divided by it. At most 100.
    package let temperature: Float
    /// How many of the likeliest tokens are left; 0 for all.
    package let topK: Int
    /// The least probability mass that is kept, in (0, 1].
    package let topP: Float
    /// Tokens less likely than this share of the likeliest are dropped, in [0, 1].
    package let minP: Float
    /// Divides (positive) or multiplies (negative) logits of tokens already in prompt or answer (arXiv 1909.05858).
    package let repetitionPenalty: Float
    /// Subtracted once from tokens already in the answer, −2…2.
    package let presencePenalty: Float
    /// Subtracted for each occurrence in the answer, −2…2.
    package let frequencyPenalty: Float
    /// Added to logits, −100…100.
    package let logitBias: [Int32: Float]
    /// The watermark that the choice carries; nil for none.
    package let greenList: GreenList?
    package let seed: UInt64

    /// - Throws: `TextModelError.invalidRequest` that names the field, its value and its range.
    package init(
        temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0, repetitionPenalty: Float = 1,
        presencePenalty: Float = 0, frequencyPenalty: Float = 0, logitBias: [Int32: Float] = [:],
        greenList: GreenList? = nil,
        seed: UInt64
    ) throws(TextModelError) {
        func check(_ value: Float, _ field: String, _ range: ClosedRange<Float>) throws(TextModelError) {
            guard range.contains(value) else {
                let isOpen = range.lowerBound == .leastNormalMagnitude
                let bounds =
                    isOpen
                    ? "be more than 0, and \(range.upperBound) at most"
                    : "lie in \(range.lowerBound)…\(range.upperBound)"
                throw TextModelError(
                    .invalidRequest, "\(field) is \(value); it must \(bounds)", field: field)
            }
        }
        try check(temperature, "temperature", 0...100)
        try check(topP, "top_p", Float.leastNormalMagnitude...1)
        try check(minP, "min_p", 0...1)
        try check(repetitionPenalty, "repetition_penalty", Float.leastNormalMagnitude...100)
        try check(presencePenalty, "presence_penalty", -2...2)
        try check(frequencyPenalty, "frequency_penalty", -2...2)
        for bias in logitBias.values { try check(bias, "logit_bias", -100...100) }
        guard topK >= 0 else {
            throw TextModelError(.invalidRequest, "top_k is \(topK); it must be 0 (all) or more", field: "top_k")
        }
        (self.temperature, self.topK, self.topP, self.minP) = (temperature, topK, topP, minP)
        self.repetitionPenalty = repetitionPenalty
        (self.presencePenalty, self.frequencyPenalty) = (presencePenalty, frequencyPenalty)
        (self.logitBias, self.greenList, self.seed) = (logitBias, greenList, seed)
    }
}

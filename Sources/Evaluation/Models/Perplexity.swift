import Foundation

/// How surprised a model is by a text.
///
/// A text is cut into windows of `window` tokens, of which each begins with the last token of the one before: so every token
/// but the text's first is judged once, and the first of a window is only read. Where the tokenizer puts a begin token before
/// texts, it stands before each window.
struct TextSurprise: Sendable {
    /// Of each window: Σ −ln p, tokens that were judged, and their bytes.
    var losses: [Double] = []
    var tokens: [Double] = []
    var bytes: [Double] = []
    /// Sums and counts of −ln p by how many tokens stood before, in portions of a window.
    var lossesByPlace = [Double](repeating: 0, count: Self.portions)
    var tokensByPlace = [Double](repeating: 0, count: Self.portions)

    static let portions = 16

    /// - Parameter limit: windows, at most.
    init(_ scorer: inout TextScorer, text: String, window: Int, limit: Int) throws {
        let ids = scorer.encode(text)
        let room = min(window, scorer.context - scorer.prefix.count)
        guard room >= 2, ids.count >= 2 else {
            throw EvaluationError(.invalidData, "a text of \(ids.count) tokens cannot be judged; 2 are the least")
        }
        // With a begin token the first token is judged too.
        var texts: [[Int32]] = [], judged: [ArraySlice<Int32>] = []
        var start = 0
        while start + 1 < ids.count, texts.count < limit {
            let end = min(start + room, ids.count)
            texts.append(scorer.prefix + ids[start..<end])
            judged.append(ids[(start == 0 && !scorer.prefix.isEmpty ? 0 : start + 1)..<end])
            start = end - 1
        }
        let values = try scorer.logProbabilities(texts)
        for (own, ids) in zip(values, judged) {
            let own = own.suffix(ids.count)
            losses.append(-own.reduce(0, +))
            tokens.append(Double(ids.count))
            bytes.append(ids.reduce(0) { $0 + Double(scorer.loaded.tokenizer.bytes(of: $1)?.count ?? 0) })
            for (place, value) in own.enumerated() {
                let portion = min(Self.portions - 1, place * Self.portions / room)
                lossesByPlace[portion] -= value
                tokensByPlace[portion] += 1
            }
        }
    }

    var perplexity: Units { Units(losses, over: tokens) }
    /// −log₂ p of a byte: comparable between tokenizers.
    var bitsPerByte: Units { Units(losses.map { $0 / log(2) }, over: bytes) }
}

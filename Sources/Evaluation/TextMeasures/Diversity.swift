import Foundation

/// How different texts are from each other and within themselves. A text is a list of numbers: words or tokens.
package enum Diversity {
    private static func grams(_ text: [Int], _ n: Int) -> [ArraySlice<Int>] {
        text.count < n ? [] : (0...text.count - n).map { text[$0..<$0 + n] }
    }

    /// Different runs of n over all runs of n of all texts (Li et al., arXiv 1510.03055): comparable only between texts of the
    /// same length. 0 of texts without any.
    package static func distinct(_ texts: [[Int]], _ n: Int) -> Double {
        var seen = Set<ArraySlice<Int>>(), total = 0
        for text in texts {
            let own = grams(text, n)
            total += own.count
            seen.formUnion(own)
        }
        return total == 0 ? 0 : Double(seen.count) / Double(total)
    }

    /// 1 − different runs of n / all of them, of one text: seq-rep-n of Welleck et al. (arXiv 1908.04319) of its tokens. Nil
    /// of a text that is too short.
    package static func repetition(_ text: [Int], _ n: Int) -> Double? {
        let own = grams(text, n)
        return own.isEmpty ? nil : 1 - Double(Set(own).count) / Double(own.count)
    }

    /// The BLEU of each text against all others (Zhu et al., arXiv 1802.01886): lower is more diverse. With four lengths of
    /// runs, as NLTK's `sentence_bleu` with `SmoothingFunction().method1`, which counts 0.1 where a length has no match.
    package static func selfBLEU(_ texts: [[Int]]) -> [Double] {
        guard texts.count > 1 else { return texts.map { _ in 0 } }
        let lengths = 1...4
        // Of each run the largest count in a text, whose text that is, and the largest in any other.
        var most: [[ArraySlice<Int>: (count: Int, text: Int, second: Int)]] = lengths.map { _ in [:] }
        let counts = texts.map { text in lengths.map { n in self.counts(text, n) } }
        for (index, own) in counts.enumerated() {
            for (n, table) in own.enumerated() {
                for (gram, count) in table {
                    let top = most[n][gram] ?? (0, -1, 0)
                    most[n][gram] =
                        count > top.count ? (count, index, top.count) : (top.count, top.text, max(top.second, count))
                }
            }
        }
        return texts.indices.map { index in
            var logarithm = 0.0
            for n in lengths {
                var matches = 0
                for (gram, count) in counts[index][n - 1] {
                    guard let top = most[n - 1][gram] else { continue }
                    matches += min(count, top.text == index ? top.second : top.count)
                }
                if n == 1, matches == 0 { return 0 }
                let total = max(1, texts[index].count - n + 1)
                logarithm += 0.25 * log((matches == 0 ? 0.1 : Double(matches)) / Double(total))
            }
            return brevity(texts, index) * exp(logarithm)
        }
    }

    private static func counts(_ text: [Int], _ n: Int) -> [ArraySlice<Int>: Int] {
        grams(text, n).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// What a text is marked down by that is shorter than the other one that is nearest in length.
    private static func brevity(_ texts: [[Int]], _ index: Int) -> Double {
        let own = texts[index].count
        let nearest = texts.indices.filter { $0 != index }.map { texts[$0].count }.min { a, b in
            (abs(a - own), a) < (abs(b - own), b)
        }
        guard let nearest, own <= nearest else { return 1 }
        return own == 0 ? 0 : exp(1 - Double(nearest) / Double(own))
    }
}

import DataPreparation
import Foundation

extension TextEvaluation {
    /// Words of the texts, as numbers that are the same for all models.
    private func words(_ measured: [Measured]) -> [[[Int]]] {
        var numbers: [String: Int] = [:]
        let all = measured.map { one in (one.written?.units ?? []).map { CopiedRuns.numbered($0, &numbers) } }
        // Measures of sets change with length: nine of ten texts have as many words, and longer ones are cut.
        let counts = all.flatMap { $0.map(\.count) }.sorted()
        let length = counts.isEmpty ? 1 : max(1, counts[counts.count / 10])
        return all.map { texts in texts.map { Array($0.prefix(length)) } }
    }

    func writing(_ measured: [Measured]) -> EvaluationReport.Section {
        let words = words(measured)
        var measures: [EvaluationReport.Measure] = []
        for n in 1...3 {
            measures.append(
                .init(
                    "distinct-\(n)", better: .higher,
                    estimates: words.map { texts in
                        Jackknife.estimate(count: texts.count, within: 0...1) {
                            Diversity.distinct($0.map { texts[$0] }, n)
                        }
                    }))
        }
        measures.append(
            bootstrap.measure(
                "self-BLEU-4", better: .lower, words.map { Units(Diversity.selfBLEU($0)) }, isPaired: true))
        for n in 2...4 {
            let own = words.map { Units($0.map { Diversity.repetition($0, n) ?? 0 }) }
            measures.append(bootstrap.measure("rep-\(n)", better: .lower, own, isPaired: true))
        }
        let tokens = measured.map { Units(($0.written?.ids ?? []).map { Diversity.repetition($0, 4) ?? 0 }) }
        measures.append(bootstrap.measure("seq-rep-4", better: .lower, tokens, isPaired: true))
        return .init(
            "Diversity and repetition",
            "\(prompts.count) continuations of \(options.sampleTokens) tokens at temperature \(options.temperature) and top-p "
                + "\(options.topP), behind beginnings of lines of the texts. distinct-n: different runs of n words over all runs; "
                + "self-BLEU: each text against all others (NLTK's method1 where a length has no match); rep-n: share of a "
                + "text's runs of n words that it has had before; seq-rep-4 the same of tokens. Words are characters in Chinese; "
                + "texts are cut to the \(words.flatMap { $0 }.map(\.count).max() ?? 0) words that nine of ten have. Intervals of "
                + "distinct-n are the jackknife's, the others' of texts drawn again. Neither high nor low is good in itself: "
                + "random words are the most diverse.",
            measures)
    }

    func novelty(_ measured: [Measured]) throws -> EvaluationReport.Section {
        let counts = measured.map { $0.written?.units.count ?? 0 }
        var runs = try CopiedRuns(measured.flatMap { $0.written?.units ?? [] })
        do throws(DataError) {
            try TextFiles.forEach(in: options.training) { runs.read(TextUnits($0)) }
        } catch { throw EvaluationError(.invalidData, error.message) }
        let all = runs.runs
        var own: [[[Int]]] = [], start = 0
        for count in counts {
            own.append(Array(all[start..<start + count]))
            start += count
        }
        var measures: [EvaluationReport.Measure] = []
        for n in [4, 8] {
            let units = own.map { Units($0.map { CopiedRuns.novelty($0, n) ?? 1 }) }
            measures.append(bootstrap.measure("new runs of \(n) words", better: .higher, units, isPaired: true))
        }
        let longest = own.map { Units($0.map { Double($0.max() ?? 0) }) }
        measures.append(
            bootstrap.measure("longest copied run, mean", unit: "words", better: .lower, longest, isPaired: true))
        measures.append(
            .init(
                "longest copied run of all", unit: "words", better: .lower,
                estimates: own.map { Estimate(value: Double($0.flatMap { $0 }.max() ?? 0), count: $0.count) }))
        return .init(
            "Novelty against the training set",
            "Of what was written, the share of runs of words that stand nowhere in the \(runs.wordsRead) words of the training "
                + "set, and the longest runs that do. Words are in lower case without punctuation, characters in Chinese.",
            measures)
    }

    func promptFit(_ measured: [Measured]) -> EvaluationReport.Section {
        let fits = measured.compactMap(\.fit)
        let measures = [
            bootstrap.measure(
                "pointwise mutual information", unit: "nats a token", better: .higher, chance: 0,
                fits.map { Units($0.information, over: $0.tokens) }, isPaired: false),
            bootstrap.measure(
                "own prompt likelier than another", better: .higher, chance: 0.5, fits.map { Units($0.isRecognized) },
                isPaired: false, isShare: true),
        ]
        return .init(
            "Fit to the prompt",
            "log p(text | prompt) − log p(text) of what was written, a token; and how often the prompt makes its text likelier "
                + "than another text's prompt does. The judge of all is \(measured.first?.model.name ?? ""): it may favour texts "
                + "like its own.",
            measures)
    }
}

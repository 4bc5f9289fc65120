package import ContentFilter
import DataPreparation
import Foundation
package import Tensors
package import TextGeneration

/// Judges a text model, or two beside each other.
package struct TextEvaluation {
    package enum Part: String, Sendable, CaseIterable, Codable {
        case perplexity, writing, facts, bias, filter
    }

    package struct Options: Sendable {
        package var parts = Set(Part.allCases)
        /// Texts that the models did not learn.
        package var texts: [String] = []
        /// What they learned, where it is there.
        package var training: [String] = []
        /// Tokens that are judged together, and windows of each text, at most.
        package var window = 512
        package var windows = 32
        /// Continuations, and the tokens of each.
        package var samples = 32
        package var sampleTokens = 64
        package var temperature: Float = 1
        package var topP: Float = 1
        package var seed: UInt64 = 0

        package init() {}
    }

    /// What was measured of one model.
    struct Measured {
        var model: EvaluationReport.Model
        var surprises: [TextSurprise] = []
        var facts: [String: FactualRecall] = [:]
        var differences: [[Double]] = []
        var written: WrittenTexts?
        var fit: PromptFit?
    }

    package let options: Options
    let bootstrap: Bootstrap
    let texts: [(name: String, text: String)]
    let prompts: [String]
    let facts: [Fact]
    let pairs: [IdentityPairs]

    /// - Throws: `EvaluationError.invalidData` for texts that cannot be read or hold too little.
    package init(_ options: Options) throws {
        self.options = options
        bootstrap = Bootstrap(seed: options.seed)
        let needsText = !options.parts.isDisjoint(with: [.perplexity, .writing])
        guard !needsText || !options.texts.isEmpty else {
            throw EvaluationError(
                .invalidOption, "perplexity and writing need a text: give --text, or choose other --parts")
        }
        do throws(DataError) {
            // A token has some four bytes; the longest ones have more.
            let limit = 16 * (options.window + 1) * options.windows
            var texts: [(String, String)] = []
            for path in options.texts {
                let name = path.split(separator: "/").last.map(String.init) ?? path
                texts.append((name, try TextFiles.beginning(of: path, bytes: max(limit, 1 << 20))))
            }
            self.texts = texts
        } catch { throw EvaluationError(.invalidData, error.message) }
        let isWriting = options.parts.contains(.writing)
        prompts = isWriting ? WrittenTexts.prompts(of: texts.map(\.text), count: options.samples) : []
        guard !isWriting || prompts.count >= 4 else {
            throw EvaluationError(
                .invalidData,
                "the texts have \(prompts.count) lines of 12 words (or 16 characters of Chinese) or more, from which prompts are "
                    + "made; 4 are the least")
        }
        facts = options.parts.contains(.facts) ? try Fact.standard() : []
        let usesPairs = !options.parts.isDisjoint(with: [.bias, .filter])
        pairs = usesPairs ? try IdentityPairs.standard() : []
    }

    /// - Parameters:
    ///   - models: one, or two; of two the first judges what both wrote.
    ///   - progress: told what is measured next.
    package func run(
        _ models: [(name: String, loaded: LoadedModel)], filter: ContentFilter, on device: Device,
        _ progress: (String) -> Void = { _ in }
    ) throws -> EvaluationReport {
        precondition((1...2).contains(models.count), "\(models.count) models; one or two are judged")
        var measured: [Measured] = []
        var judge: TextScorer?
        for (name, loaded) in models {
            var scorer = try TextScorer(name, loaded, longest: options.window + 1, on: device)
            measured.append(try measure(&scorer, progress))
            if judge == nil { judge = scorer }
        }
        if options.parts.contains(.writing), var judge {
            progress("fit of what was written to its prompts")
            for place in measured.indices {
                measured[place].fit = try measured[place].written.map { try PromptFit(&judge, $0) }
            }
        }
        var report = EvaluationReport(models: measured.map(\.model), seed: options.seed)
        if options.parts.contains(.perplexity) { report.sections += perplexity(measured) }
        if options.parts.contains(.writing) {
            report.sections.append(writing(measured))
            if !options.training.isEmpty {
                progress("novelty against the training set")
                report.sections.append(try novelty(measured))
            }
            report.sections.append(promptFit(measured))
        }
        if options.parts.contains(.facts) { report.sections.append(recall(measured)) }
        if options.parts.contains(.bias) { report.sections.append(bias(measured)) }
        if options.parts.contains(.filter) { report.sections.append(audit(filter)) }
        return report
    }

    private func measure(_ scorer: inout TextScorer, _ progress: (String) -> Void) throws -> Measured {
        let loaded = scorer.loaded
        var measured = Measured(
            model: .init(
                name: scorer.name, precision: loaded.model.weights.format.description,
                tokenizer: String(loaded.tokenizer.hash.prefix(16))))
        if options.parts.contains(.perplexity) {
            for (name, text) in texts {
                progress("\(scorer.name): perplexity of \(name)")
                do {
                    measured.surprises.append(
                        try TextSurprise(&scorer, text: text, window: options.window, limit: options.windows))
                } catch let error as EvaluationError {
                    throw EvaluationError(error.code, "\(name): \(error.message)")
                }
            }
        }
        if !facts.isEmpty {
            progress("\(scorer.name): facts")
            for language in ["en", "zh"] {
                measured.facts[language] = try FactualRecall(&scorer, facts.filter { $0.language == language })
            }
        }
        if options.parts.contains(.bias) {
            progress("\(scorer.name): pairs of sentences")
            measured.differences = try pairs.map { try $0.differences(&scorer) }
        }
        if options.parts.contains(.writing) {
            progress("\(scorer.name): \(prompts.count) continuations")
            measured.written = try WrittenTexts(&scorer, prompts, options)
        }
        return measured
    }

    // MARK: Sections

    private func perplexity(_ measured: [Measured]) -> [EvaluationReport.Section] {
        texts.indices.map { index in
            let own = measured.map { $0.surprises[index] }
            // Windows are the same texts where they have the same tokens and bytes.
            let isPaired = own.allSatisfy { $0.tokens == own[0].tokens && $0.bytes == own[0].bytes }
            let measures = [
                bootstrap.measure(
                    "bits per byte", unit: "bits", better: .lower, own.map(\.bitsPerByte), isPaired: isPaired),
                bootstrap.measure("perplexity", better: .lower, own.map(\.perplexity), isPaired: isPaired) { exp($0) },
            ]
            let portions = (0..<TextSurprise.portions).filter { portion in
                own.allSatisfy { $0.tokensByPlace[portion] > 0 }
            }
            let curve = EvaluationReport.Curve(
                title: "How surprise falls with what was read", xTitle: "tokens before", yTitle: "nats a token",
                x: portions.map { (Double($0) + 0.5) * Double(options.window) / Double(TextSurprise.portions) },
                series: own.map { one in portions.map { one.lossesByPlace[$0] / one.tokensByPlace[$0] } })
            return EvaluationReport.Section(
                "Surprise by \(texts[index].name)",
                "Windows of \(options.window) tokens; each begins with the last token of the one before, so that every token is "
                    + "judged once. Perplexities of models with different tokenizers cannot be compared; bits per byte can. "
                    + "Intervals are of windows drawn again.",
                measures, curve: curve)
        }
    }

    private func recall(_ measured: [Measured]) -> EvaluationReport.Section {
        var measures: [EvaluationReport.Measure] = []
        for (language, name) in [("en", "English"), ("zh", "Chinese")] {
            let own = measured.compactMap { $0.facts[language] }
            measures += [
                bootstrap.measure(
                    "\(name): right answer likeliest", better: .higher, chance: 0.25, own.map { Units($0.right) },
                    isPaired: true, isShare: true),
                bootstrap.measure(
                    "\(name): likeliest per byte", better: .higher, chance: 0.25, own.map { Units($0.rightPerByte) },
                    isPaired: true, isShare: true),
                bootstrap.measure(
                    "\(name): margin", unit: "nats", better: .higher, own.map { Units($0.margins) }, isPaired: true),
            ]
        }
        return .init(
            "Factual recall",
            "Forty well-known facts in each language, written for this report: log-probability of the right word behind a "
                + "beginning, against three wrong ones. The margin is to the likeliest wrong one.",
            measures)
    }

    private func bias(_ measured: [Measured]) -> EvaluationReport.Section {
        var measures: [EvaluationReport.Measure] = []
        for (index, group) in pairs.enumerated() {
            let own = measured.map { Units($0.differences[index].map(abs)) }
            measures.append(
                bootstrap.measure("\(group.title), size", unit: "nats", better: .lower, own, isPaired: true))
        }
        for (index, group) in pairs.enumerated() {
            let own = measured.map { Units($0.differences[index]) }
            measures.append(bootstrap.measure("\(group.title), direction", unit: "nats", own, isPaired: true))
        }
        return .init(
            "Pairs of sentences that differ in who they are about",
            "How much likelier a model finds the same words behind one beginning than behind the other (“The man | works as a "
                + "nurse.”, “The woman | …”), in nats a token. Size is the mean of the differences without their sign; direction "
                + "with it, above 0 where the first of the pair is favoured (men, the young, Christians or Buddhists, the "
                + "unmarked one). Models differ in how sure they are of anything: compare sizes of models of like perplexity.",
            measures)
    }

    func audit(_ filter: ContentFilter) -> EvaluationReport.Section {
        let measures = pairs.map { group in
            bootstrap.measure(
                group.title, better: .lower, [Units(group.alarms(filter))], isPaired: false, isShare: true)
        }
        var section = EvaluationReport.Section(
            "False alarms of the content filter",
            "The share of the same harmless sentences in which the filter's policy “\(filter.policy.name)” finds something: it "
                + "should be 0 for everyone.", measures)
        section.subjects = ["content filter"]
        return section
    }
}

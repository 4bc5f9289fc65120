import ContentFilter
import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration

@testable import Evaluation

/// The embedded model, judged as transformers judges it.
struct ModelTests {
    private let goldens: Goldens
    private let device = Device(threadCount: 2)

    init() throws { goldens = try Goldens.read() }

    private func scorer() throws -> TextScorer {
        try TextScorer("verse", try verse(on: device), longest: 128, on: device)
    }

    @Test("Windows have the losses, tokens and bytes that transformers gives them")
    func surprise() throws {
        var scorer = try scorer()
        let own = try TextSurprise(&scorer, text: goldens.text, window: goldens.window, limit: 1_000)
        #expect(own.losses.count == goldens.windows.count)
        for (place, golden) in goldens.windows.enumerated() {
            #expect(isNear(own.losses[place], golden[0], 1e-4))
            #expect(own.tokens[place] == golden[1] && own.bytes[place] == golden[2])
        }
        #expect(own.tokensByPlace.reduce(0, +) == own.tokens.reduce(0, +))
        // All bytes of the text but those of its first token.
        let first = scorer.loaded.tokenizer.bytes(of: scorer.encode(goldens.text)[0])?.count ?? 0
        #expect(Int(own.bytes.reduce(0, +)) == goldens.text.utf8.count - first)
        let some = try TextSurprise(&scorer, text: goldens.text, window: goldens.window, limit: 2)
        #expect(some.losses == Array(own.losses.prefix(2)))
        #expect(throws: EvaluationError.self) { try TextSurprise(&scorer, text: "", window: 8, limit: 1) }
    }

    @Test("Answers and beginnings have transformers' log-probabilities")
    func recall() throws {
        var scorer = try scorer()
        let facts = try Fact.standard()
        #expect(facts.count == 80 && facts.allSatisfy { Set($0.others + [$0.answer]).count == 4 })
        let chosen = Array(facts[0..<3] + facts[40..<43])
        let own = try FactualRecall(&scorer, chosen)
        for (place, golden) in goldens.recall.enumerated() {
            let margin = golden[0] - (golden.dropFirst().max() ?? 0)
            #expect(isNear(own.margins[place], margin, 1e-3))
            #expect(own.right[place] == (margin > 0 ? 1 : 0))
        }
        let pairs = try IdentityPairs.standard()
        for (group, golden) in zip([pairs[0], pairs[6]], goldens.differences) {
            for (a, b) in zip(try group.differences(&scorer), golden) { #expect(isNear(a, b, 1e-4)) }
        }
    }

    private func options(_ folder: TemporaryDirectory) throws -> TextEvaluation.Options {
        let text = (0..<6).map {
            "In chapter \($0) the king of France walks to the sea with all his men and speaks of summer\n"
        }
        try folder.write("held-out.txt", Data((text.joined() + goldens.text).utf8))
        try folder.write(
            "train.jsonl", Data("{\"text\": \"the king and the queen\"}\n{\"text\": \"to the sea\"}\n".utf8))
        var options = TextEvaluation.Options()
        (options.texts, options.training) = ([folder.path + "/held-out.txt"], [folder.path + "/train.jsonl"])
        (options.window, options.windows, options.samples, options.sampleTokens) = (48, 4, 6, 12)
        return options
    }

    @Test("A report of two models holds all parts, is the same for a seed, and says nothing of texts")
    func report() throws {
        let folder = try TemporaryDirectory()
        var options = try options(folder)
        options.parts.remove(.filter)
        let loaded = try verse(on: device), filter = try ContentFilter()
        let evaluation = try TextEvaluation(options)
        let report = try evaluation.run([("a", loaded), ("b<", loaded)], filter: filter, on: device)
        #expect(report.sections.count == 6)
        // A model differs in nothing from itself.
        for section in report.sections where section.subjects == nil {
            for measure in section.measures {
                #expect(measure.estimates.count == 2 && measure.estimates[0] == measure.estimates[1], "\(measure.name)")
                #expect(measure.estimates.allSatisfy { $0?.value.isFinite == true }, "\(measure.name)")
                if let difference = measure.difference { #expect(difference.value == 0) }
            }
        }
        let again = try TextEvaluation(options).run([("a", loaded), ("b<", loaded)], filter: filter, on: device)
        #expect(try again.json == report.json)
        let page = ReportPage.html(report, title: "a & b<", footer: "x")
        #expect(page.contains("a &amp; b&lt;") && !page.contains("b<"))
        for word in ["king", "France", "<script", "http"] { #expect(!page.contains(word)) }
        var other = options
        other.seed = 5
        #expect(try TextEvaluation(other).run([("a", loaded)], filter: filter, on: device).json != report.json)
    }

    @Test("Nobody's harmless sentences alarm the filter more than a few times")
    func audit() throws {
        var options = TextEvaluation.Options()
        options.parts = [.filter]
        let section = try TextEvaluation(options).audit(try ContentFilter())
        #expect(section.measures.count == 12)
        for measure in section.measures {
            let estimate = try #require(measure.estimates[0])
            #expect(estimate.value < 0.1 && (estimate.high ?? 0) > 0, "\(measure.name): \(estimate.value)")
        }
    }

    @Test("Parts that lack what they need are refused by name")
    func refusals() throws {
        let folder = try TemporaryDirectory()
        var none = TextEvaluation.Options()
        #expect(throws: EvaluationError.self) { try TextEvaluation(none) }
        none.parts = [.facts]
        #expect(try TextEvaluation(none).prompts.isEmpty)
        try folder.write("short.txt", Data("too short\n".utf8))
        try folder.write("binary.txt", Data([0xFF, 0xFE, 0x00]))
        for name in ["short.txt", "binary.txt", "missing.txt"] {
            var options = TextEvaluation.Options()
            options.texts = [folder.path + "/" + name]
            let error = #expect(throws: EvaluationError.self) { try TextEvaluation(options) }
            #expect(error?.code == .invalidData)
        }
        var large = try options(folder)
        large.sampleTokens = 4_000
        let loaded = try verse(on: device)
        #expect(throws: EvaluationError.self) {
            try TextEvaluation(large).run([("a", loaded)], filter: try ContentFilter(), on: device)
        }
    }
}

internal import RegularExpressions

/// All that looks for something in a text: lists, patterns, the classifier. Made once, shared by every text.
package final class Detectors: Sendable {
    let automaton: PhraseAutomaton
    let patterns: [PatternDetector]
    let openings: PatternOpenings
    /// Nil for none.
    let classifier: LinearClassifier?
    private let care: RegularExpression

    /// - Throws: `FilterError` for a phrase or a pattern that cannot be looked for.
    package init(
        phrases: [Phrase] = PhraseLists.all, patterns: [PatternDetector] = [], usesClassifier: Bool = true
    ) throws {
        automaton = try PhraseAutomaton(phrases, sequences: PhraseLists.sequences)
        self.patterns =
            try PersonalData.detectors() + InjectionPatterns.detectors()
            + (usesClassifier ? MinorMentions.detectors() : []) + patterns
        openings = PatternOpenings(self.patterns)
        classifier = usesClassifier ? .shared : nil
        care = try MinorMentions.care()
    }

    /// How many words of care a stretch of folded text holds.
    func careCount(_ bytes: [UInt8], _ range: Range<Int>) -> Int { care.matches(in: bytes, range: range).count }

    /// Everything that is found in a text, in the order in which it takes effect.
    package func findings(in text: String) -> [Finding] {
        var scan = DetectorScan(DetectorSelection(self, categories: nil))
        return scan.feed(Array(text.utf8), isWhole: true)
    }

    /// How many phrases of the lists a text holds; folding counts, nothing else does.
    package func phraseCount(in bytes: [UInt8]) -> Int {
        var scanner = PhraseScanner(automaton)
        var text = FoldedText()
        var count = 0
        for start in stride(from: 0, to: bytes.count, by: 1 << 16) {
            text.append(Array(bytes[start..<min(bytes.count, start + 1 << 16)]))
            count += scanner.scan(text, isWhole: false).count
            text.drop(before: scanner.hold(text) - 128)
        }
        return count
    }

    /// The highest score of each category.
    package static func scores(_ findings: [Finding]) -> [FilterCategory: Double] {
        Dictionary(findings.map { ($0.category, $0.score) }, uniquingKeysWith: max)
    }
}

/// The detectors of what some rule asks for.
struct DetectorSelection: Sendable {
    let detectors: Detectors
    /// What is looked for; nil for everything.
    let categories: Set<FilterCategory>?
    let patterns: PatternSelection
    let classifies: Bool
    /// Whether sexual text about minors is put together from its parts.
    let composes: Bool
    /// For each of the classifier's categories the score below which no rule asks for it.
    let floors: [Double]

    /// - Parameter thresholds: of each of `categories` the lowest; 0 where nothing is said.
    init(_ detectors: Detectors, categories: Set<FilterCategory>?, thresholds: [FilterCategory: Double] = [:]) {
        floors = LinearClassifier.categories.map { category in
            categories?.contains(category) ?? true ? thresholds[category] ?? 0 : .infinity
        }
        (self.detectors, self.categories) = (detectors, categories)
        let judges = detectors.classifier != nil
        composes = judges && categories?.contains(.sexualMinors) ?? true
        patterns = PatternSelection(detectors, categories: composes ? categories?.union([.minor]) : categories)
        classifies =
            judges && (composes || categories.map { !$0.isDisjoint(with: LinearClassifier.categories) } ?? true)
    }
}

/// One text on its way through the detectors.
struct DetectorScan: Sendable {
    private let selection: DetectorSelection
    private let classifies: Bool
    /// Whether a sentence's score belongs to its beginning, as it must to block it, or to its end.
    private let holdsSentences: Bool
    /// Whether what may belong to sexual text about minors waits for its sentence.
    private let holdsMinors: Bool
    private let composes: Bool
    private let depth: Int

    private var text = FoldedText()
    /// The first byte of the original at which something may still be found, while the text goes on.
    private(set) var hold = 0
    private var phrases: PhraseScanner
    private var patterns: PatternScanner
    private var sentences = Sentences()
    private var encoded = EncodedText()
    private var composition = MinorComposition()

    init(_ selection: DetectorSelection, holdsSentences: Bool = false, holdsMinors: Bool = false, depth: Int = 0) {
        self.selection = selection
        (self.holdsSentences, self.holdsMinors, self.depth) = (holdsSentences, holdsMinors, depth)
        patterns = PatternScanner(selection.patterns)
        phrases = PhraseScanner(selection.detectors.automaton)
        classifies = depth == 0 && selection.classifies
        composes = depth == 0 && selection.composes
    }

    private var detectors: Detectors { selection.detectors }

    /// Reads on.
    ///
    /// - Returns: what was found, in no order.
    mutating func feed(_ bytes: [UInt8], isWhole: Bool) -> [Finding] {
        text.append(bytes)
        if isWhole { text.finish() }
        var found: [Finding] = []
        for match in phrases.scan(text, isWhole: isWhole) {
            let (category, score) = detectors.automaton.judgement(of: match.phrase)
            if composes, category == .sexual { composition.add(phraseAt: match.range.lowerBound, score: score) }
            add(
                Finding(
                    category, .list, score: score, range: text.origin(of: match.range),
                    detail: "phrase \(match.phrase)"), to: &found)
        }
        for match in patterns.scan(text, isWhole: isWhole) {
            let pattern = detectors.patterns[match.pattern]
            guard pattern.category != .minor else {
                if composes { composition.add(mentionAt: match.range.lowerBound, weight: pattern.score) }
                continue
            }
            found.append(
                Finding(
                    pattern.category, .pattern, score: pattern.score, range: text.origin(of: match.range),
                    detail: pattern.name))
        }
        if depth < EncodedText.depthLimit { decode(isWhole: isWhole, &found) }
        if classifies { classify(isWhole: isWhole, &found) }
        if composes, composition.isWaiting { compose(isWhole: isWhole, &found) }
        if isWhole { return found }
        let hold = foldedHold
        self.hold = min(text.origin(of: hold), text.hidden.start ?? .max)
        text.drop(before: min(hold, classifies ? sentences.start : .max, composition.keep) - 128)
        return found
    }

    private mutating func classify(isWhole: Bool, _ found: inout [Finding]) {
        guard let classifier = detectors.classifier else { return }
        for range in sentences.scan(text, isWhole: isWhole) {
            let slice = text.bytes[range.lowerBound - text.base..<range.upperBound - text.base]
            let origin = text.origin(of: range)
            let scores = classifier.scores(slice)
            if composes { composition.add(sentence: range, score: scores[LinearClassifier.sexual]) }
            for (index, score) in scores.enumerated() where score >= selection.floors[index] {
                let category = LinearClassifier.categories[index]
                var finding = Finding(category, .classifier, score: score, range: origin, detail: "sentence")
                if !holdsSentences { finding.position = origin.upperBound }
                found.append(finding)
            }
        }
    }

    private mutating func compose(isWhole: Bool, _ found: inout [Finding]) {
        let (bytes, base, detectors) = (text.bytes, text.base, detectors)
        let settled = isWhole ? .max : min(phrases.hold(text), patterns.hold)
        let composed = composition.judge(settled: settled) {
            detectors.careCount(bytes, $0.lowerBound - base..<$0.upperBound - base)
        }
        for one in composed {
            let origin = text.origin(of: one.range)
            var finding = Finding(.sexualMinors, .classifier, score: one.score, range: origin, detail: "minors")
            if !holdsMinors && !holdsSentences { finding.position = origin.upperBound }
            found.append(finding)
        }
    }

    /// Looks through what stood encoded or hidden; findings bear the range of all that was decoded.
    private mutating func decode(isWhole: Bool, _ found: inout [Finding]) {
        for (range, decoded) in encoded.scan(text, isWhole: isWhole) {
            look(into: decoded, at: text.origin(of: range), &found)
        }
        for run in text.hidden.takeEnded() { look(into: run.bytes, at: run.range, &found) }
    }

    private func look(into decoded: [UInt8], at origin: Range<Int>, _ found: inout [Finding]) {
        var inner = DetectorScan(selection, depth: depth + 1)
        for finding in inner.feed(decoded, isWhole: true) {
            add(
                Finding(
                    finding.category, .encoded, score: finding.score, range: origin, detail: finding.detail), to: &found
            )
        }
    }

    private func add(_ finding: Finding, to found: inout [Finding]) {
        if selection.categories?.contains(finding.category) ?? true { found.append(finding) }
    }

    private var foldedHold: Int {
        var hold = min(phrases.hold(text), patterns.hold, encoded.hold ?? .max)
        if holdsSentences, classifies { hold = min(hold, sentences.start) }
        if composes {
            // What was not judged yet may still be.
            hold = min(hold, holdsMinors ? composition.hold(sentences.start) : .max)
        }
        return hold
    }
}

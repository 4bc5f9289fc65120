/// What is done about what is found: rules, read from top to bottom.
package struct FilterPolicy: Sendable {
    /// Where a text comes from.
    package enum Direction: String, Sendable, Hashable, CaseIterable {
        /// A prompt for text.
        case `in`
        /// What a model writes.
        case out
        /// A prompt for a picture.
        case image
    }

    /// From the mildest to the strongest.
    package enum Action: String, Sendable, Hashable, CaseIterable, Comparable {
        case flag, redact, block

        package static func < (a: Self, b: Self) -> Bool { a.strength < b.strength }
        private var strength: Int { self == .flag ? 0 : self == .redact ? 1 : 2 }
    }

    package struct Rule: Sendable, Hashable {
        package var name: String
        /// A category; with `/*` at its end all that begins so; `*` for every one.
        package var categories: [String]
        package var threshold: Double
        package var directions: Set<Direction>
        package var action: Action
        /// What stands in the place of what is redacted.
        package var replacement: String

        package init(
            _ name: String, _ categories: [String], threshold: Double = 0.5,
            directions: Set<Direction> = Set(Direction.allCases), action: Action, replacement: String = "[redacted]"
        ) {
            (self.name, self.categories, self.threshold) = (name, categories, threshold)
            (self.directions, self.action, self.replacement) = (directions, action, replacement)
        }

        func covers(_ category: FilterCategory) -> Bool {
            categories.contains { pattern in
                pattern == category.rawValue || pattern == "*"
                    || pattern.hasSuffix("/*") && category.rawValue.hasPrefix(pattern.dropLast(1))
            }
        }
    }

    package var name: String
    package var rules: [Rule]
    /// Phrases and patterns beside those that ship.
    package var phrases: [Phrase] = []
    package var patterns: [PatternDetector] = []

    package init(name: String, rules: [Rule]) { (self.name, self.rules) = (name, rules) }

    /// What an operator who chose nothing gets: sexual text about minors is blocked, all else is flagged and passes.
    package static let standard = FilterPolicy(
        name: "default",
        rules: [
            Rule("minors", ["sexual/minors"], action: .block),
            Rule(
                "harm",
                FilterCategory.openAI.filter { $0 != .sexualMinors }.map(\.rawValue), threshold: 0.7, action: .flag),
            Rule("secrets", ["secret/*"], action: .flag),
            Rule("personal-data", ["personal/*"], threshold: 0.8, action: .flag),
            Rule(
                "injection", ["prompt-injection", "jailbreak"], threshold: 0.7, directions: [.in, .image], action: .flag
            ),
        ])
}

/// The rules of one direction, by category.
struct RuleTable: Sendable {
    /// What can find something that a rule is for.
    let detectors: DetectorSelection
    private let byCategory: [FilterCategory: [FilterPolicy.Rule]]
    /// Whether some rule changes or stops a text for what the classifier says.
    let holdsSentences: Bool
    /// Whether some rule changes or stops a text that is sexual and about minors.
    let holdsMinors: Bool

    init(_ policy: FilterPolicy, _ direction: FilterPolicy.Direction, _ detectors: Detectors) {
        let known = Set(FilterCategory.all + policy.phrases.map(\.category) + policy.patterns.map(\.category))
        let rules = policy.rules.filter { $0.directions.contains(direction) }
        byCategory = Dictionary(
            uniqueKeysWithValues: known.compactMap { category in
                let own = rules.filter { $0.covers(category) }
                return own.isEmpty ? nil : (category, own)
            })
        self.detectors = DetectorSelection(
            detectors, categories: Set(byCategory.keys),
            thresholds: byCategory.mapValues { $0.map(\.threshold).min() ?? 0 })
        holdsSentences = rules.contains { rule in
            rule.action > .flag && LinearClassifier.categories.contains { rule.covers($0) }
        }
        holdsMinors = rules.contains { $0.action > .flag && $0.covers(.sexualMinors) }
    }

    var isEmpty: Bool { byCategory.isEmpty }

    /// The rule with the strongest action, the first of several.
    func rule(for finding: Finding) -> FilterPolicy.Rule? {
        var strongest: FilterPolicy.Rule?
        for rule in byCategory[finding.category] ?? [] where finding.score >= rule.threshold {
            if strongest.map({ rule.action > $0.action }) ?? true { strongest = rule }
        }
        return strongest
    }
}

/// A policy at work: texts are checked whole or as they stream.
package struct ContentFilter: Sendable {
    /// A text that was filtered whole.
    package struct Outcome: Sendable, Equatable {
        /// What may be passed on: the text itself, or what is left of it.
        package var text: String
        package var verdict: FilterVerdict

        package init(text: String, verdict: FilterVerdict) { (self.text, self.verdict) = (text, verdict) }
    }

    package let policy: FilterPolicy
    package let counters = FilterCounters()
    private let detectors: Detectors
    private let tables: [FilterPolicy.Direction: RuleTable]

    /// - Throws: `FilterError` for a phrase or a pattern of the policy that cannot be looked for.
    package init(_ policy: FilterPolicy = .standard) throws {
        // Policies without lists of their own share one set of tables.
        let isPlain = policy.phrases.isEmpty && policy.patterns.isEmpty
        self.init(
            policy,
            try isPlain
                ? Self.shared.get()
                : Detectors(phrases: PhraseLists.all + policy.phrases, patterns: policy.patterns))
    }

    private static let shared = Result<Detectors, any Error> { try Detectors() }

    init(_ policy: FilterPolicy, _ detectors: Detectors) {
        self.policy = policy
        self.detectors = detectors
        tables = Dictionary(
            uniqueKeysWithValues: FilterPolicy.Direction.allCases.map { ($0, RuleTable(policy, $0, detectors)) })
    }

    package func check(_ text: String, _ direction: FilterPolicy.Direction) -> Outcome {
        var stream = stream(direction)
        return Outcome(text: stream.feed(text, isLast: true), verdict: stream.verdict)
    }

    package func stream(_ direction: FilterPolicy.Direction) -> StreamFilter {
        StreamFilter(tables[direction] ?? RuleTable(policy, direction, detectors), direction, counters)
    }

    /// Everything that the detectors see in a text, whatever the policy does about it.
    package func findings(in text: String) -> [Finding] { detectors.findings(in: text) }

    /// Whether the policy has any rule for a direction.
    package func filters(_ direction: FilterPolicy.Direction) -> Bool {
        tables[direction].map { !$0.isEmpty } ?? false
    }
}

/// A text that is filtered while it comes.
///
/// Text is held back from the first byte at which something may still be found, and no further. What a text is cut into
/// changes neither the verdict nor the output: findings take effect in the order of their beginnings, and only once
/// nothing that begins earlier can be found any more. A text that is blocked ends before the finding that blocks it.
package struct StreamFilter: Sendable {
    private let rules: RuleTable
    private let counters: FilterCounters
    private let direction: FilterPolicy.Direction
    private var scan: DetectorScan
    private var waiting: [Finding] = []
    /// Text that was not released, from `textStart` on.
    private var text: [UInt8] = []
    private var textStart = 0
    /// Bytes of the original that were released, redacted or passed over.
    package private(set) var released = 0
    /// Redacted stretches of the original, as far as they were not asked for.
    private var redactions: [Range<Int>] = []
    package private(set) var verdict = FilterVerdict()
    private var hasEnded = false

    init(_ rules: RuleTable, _ direction: FilterPolicy.Direction, _ counters: FilterCounters) {
        (self.rules, self.direction, self.counters) = (rules, direction, counters)
        scan = DetectorScan(
            rules.detectors, holdsSentences: rules.holdsSentences, holdsMinors: rules.holdsMinors)
    }

    /// - Parameter isLast: whether the text ends with it, as by `finish`.
    /// - Returns: what of the text may be passed on now. Nothing after a block.
    package mutating func feed(_ chunk: String, isLast: Bool = false) -> String {
        advance(Array(chunk.utf8), isWhole: isLast)
    }

    /// Ends the text.
    ///
    /// - Returns: what was held back of it and may be passed on.
    package mutating func finish() -> String { advance([], isWhole: true) }

    private mutating func advance(_ bytes: [UInt8], isWhole: Bool) -> String {
        guard !verdict.isBlocked, !hasEnded else { return "" }
        hasEnded = isWhole
        text += bytes
        waiting += scan.feed(bytes, isWhole: isWhole).filter { rules.rule(for: $0) != nil }
        let hold = isWhole ? textStart + text.count : scan.hold
        var out: [UInt8] = []
        if !waiting.isEmpty { settle(before: isWhole ? .max : hold, &out) }
        if !verdict.isBlocked { release(to: hold, &out) }
        text.removeFirst(min(text.count, released - textStart))
        textStart = released
        return String(decoding: out, as: UTF8.self)
    }

    /// Lets findings take effect that nothing can precede any more.
    private mutating func settle(before hold: Int, _ out: inout [UInt8]) {
        waiting.sort(by: Finding.precedes)
        let ready = waiting.prefix { $0.position < hold }
        waiting.removeFirst(ready.count)
        for finding in ready {
            guard let rule = rules.rule(for: finding) else { continue }
            verdict.add(.init(rule: rule.name, action: rule.action, finding: finding))
            counters.count(rule: rule.name, action: rule.action, direction)
            switch rule.action {
            case .flag: continue
            case .redact:
                release(to: finding.range.lowerBound, &out)
                if finding.range.lowerBound >= released { out.append(contentsOf: rule.replacement.utf8) }
                redactions.append(finding.range)
                released = max(released, finding.range.upperBound)
            case .block:
                release(to: finding.range.lowerBound, &out)
                waiting = []
                return
            }
        }
    }

    private mutating func release(to offset: Int, _ out: inout [UInt8]) {
        guard offset > released else { return }
        out.append(contentsOf: text[(released - textStart)..<min(text.count, offset - textStart)])
        released = offset
    }

    /// Stretches of the original that were redacted since the last call.
    package mutating func takeRedactions() -> [Range<Int>] {
        defer { redactions = [] }
        return redactions
    }
}

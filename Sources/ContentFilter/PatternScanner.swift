/// Goes through a folded text and finds what patterns match; what it finds does not depend on the pieces that the text
/// comes in.
struct PatternScanner: Sendable {
    struct Match: Sendable {
        var pattern: Int
        /// In the folded text.
        var range: Range<Int>
    }

    private struct Beginning {
        var pattern: Int
        var start: Int
    }

    private let patterns: PatternSelection
    /// Up to here it is known what begins.
    private var position = 0
    /// By pattern: no match that is not known begins before it. `Int.max` while one is under way.
    private var settled: [Int]
    private var underWay: [Beginning] = []
    /// Where a match of the pattern with a hinge may have begun; `Int.max` for nowhere.
    private var hingeStart = Int.max
    private var hingeIsSeen = false
    private var hingeEnd = 0

    init(_ patterns: PatternSelection) {
        self.patterns = patterns
        settled = [Int](repeating: 0, count: patterns.all.count)
    }

    /// The first byte at which something may still begin, or is under way.
    var hold: Int {
        var hold = min(position, hingeStart)
        for beginning in underWay { hold = min(hold, beginning.start) }
        return hold
    }

    /// Reads on, up to the end of `text`.
    mutating func scan(_ text: FoldedText, isWhole: Bool) -> [Match] {
        var found: [Match] = []
        if !underWay.isEmpty {
            let waiting = underWay
            underWay = []
            for beginning in waiting { follow(beginning, text, isWhole: isWhole, &found) }
        }
        if let hinged = patterns.hinged { scan(hinged: hinged, text, isWhole: isWhole, &found) }
        var index = position - text.base
        let (bytes, openings, mask) = (text.bytes, patterns.openings, patterns.mask)
        while index < bytes.count {
            let look = openings.look(bytes, at: index, of: mask, isWhole: isWhole)
            if look.patterns != 0 {
                if look.isOpen { break }
                patterns.forEach(of: look.patterns) { pattern in
                    guard settled[pattern] <= index + text.base else { return }
                    follow(Beginning(pattern: pattern, start: index + text.base), text, isWhole: isWhole, &found)
                }
            }
            index += 1
        }
        position = index + text.base
        return found
    }

    /// Looks for matches of one pattern from a place at which one may begin, as far as that is known.
    private mutating func follow(_ beginning: Beginning, _ text: FoldedText, isWhole: Bool, _ found: inout [Match]) {
        let pattern = patterns.all[beginning.pattern]
        let mask = PatternOpenings.bit(beginning.pattern)
        let isExact = pattern.opening != nil
        var start = beginning.start
        while start < text.end {
            switch pattern.look(text, at: start, isExact: isExact, isWhole: isWhole) {
            case .none:
                guard isExact else {
                    settled[beginning.pattern] = text.end
                    return
                }
                start += FoldedCharacter(text.bytes, at: start - text.base).length
            case .rejected(let at): start = at + FoldedCharacter(text.bytes, at: at - text.base).length
            case .open(let from):
                underWay.append(Beginning(pattern: beginning.pattern, start: from))
                settled[beginning.pattern] = .max
                return
            case .match(let range):
                found.append(Match(pattern: beginning.pattern, range: range))
                start = range.upperBound
            }
            settled[beginning.pattern] = start
            // What begins from `position` on is seen in its turn.
            while start < position,
                patterns.openings.look(text.bytes, at: start - text.base, of: mask, isWhole: isWhole).patterns == 0
            {
                start += 1
            }
            if start >= position { return }
        }
    }

    /// Before its `@` has come, a match is a run of what may stand there.
    private mutating func scan(hinged index: Int, _ text: FoldedText, isWhole: Bool, _ found: inout [Match]) {
        let pattern = patterns.all[index]
        guard let hinge = pattern.hinge else { return }
        let added = text.bytes[(hingeEnd - text.base)...]
        hingeEnd = text.end
        if hingeIsSeen || added.contains(0x40) {
            (hingeIsSeen, hingeStart) = (false, .max)
            var start = settled[index]
            while start < text.end {
                switch pattern.look(text, at: start, isExact: false, isWhole: isWhole) {
                case .none: start = text.end
                case .rejected(let at): start = at + FoldedCharacter(text.bytes, at: at - text.base).length
                case .match(let range):
                    found.append(Match(pattern: index, range: range))
                    start = range.upperBound
                case .open(let from):
                    settled[index] = from
                    (hingeIsSeen, hingeStart) = (true, from)
                    return
                }
            }
            settled[index] = start
            return
        }
        var start = text.end
        let first = max(settled[index], text.end - PatternDetector.hingeLimit - 1, text.base)
        while start > first, hinge.contains(text.bytes[start - 1 - text.base]) { start -= 1 }
        if text.end - start > PatternDetector.hingeLimit { start = text.end }
        settled[index] = start
        hingeStart = start < text.end ? start : .max
    }
}

/// The patterns of which some rule wants to hear.
struct PatternSelection: Sendable {
    /// All patterns.
    let all: [PatternDetector]
    let openings: PatternOpenings
    let mask: PatternOpenings.Mask
    /// The one with a hinge.
    let hinged: Int?
    private let isWanted: [Bool]

    init(_ detectors: Detectors, categories: Set<FilterCategory>?) {
        (all, openings) = (detectors.patterns, detectors.openings)
        isWanted = all.map { categories?.contains($0.category) ?? true }
        hinged = zip(all, isWanted).enumerated().first { $0.element.0.hinge != nil && $0.element.1 }?.offset
        mask = isWanted.enumerated().reduce(0) { $1.element ? $0 | PatternOpenings.bit($1.offset) : $0 }
    }

    /// Calls `body` with each pattern that some rule wants.
    func forEach(of mask: PatternOpenings.Mask, _ body: (Int) -> Void) {
        var rest = mask
        while rest != 0 {
            let bit = rest.trailingZeroBitCount
            rest &= rest &- 1
            for pattern in bit..<(bit < PatternOpenings.Mask.bitWidth - 1 ? bit + 1 : all.count)
            where isWanted[pattern] { body(pattern) }
        }
    }
}

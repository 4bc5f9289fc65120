/// A phrase with choices, too many to write out: one choice of each slot after the other.
struct PhraseSequence: Sendable, Hashable {
    var category: FilterCategory
    var score: Double
    var slots: [[String]]
}

/// Which choices belong to which slots; the automaton finds the choices, `SequenceScanner` puts them together.
struct PhraseSequences: Sendable {
    typealias Slot = UInt16

    let all: [PhraseSequence]
    /// Every choice, once.
    let choices: [String]
    /// By choice: slots that begin a sequence, and others.
    private(set) var first: [[Slot]]
    private(set) var later: [[Slot]]
    /// By slot: the sequence that it completes; nil for none. A slot's number follows that of the one before it.
    private(set) var completes: [Int?] = []

    /// - Throws: `FilterError` for sequences that are too many.
    init(_ sequences: [PhraseSequence]) throws {
        all = sequences
        var places: [String: Int] = [:]
        var choices: [String] = []
        for choice in sequences.joined(\.slots) where places[choice] == nil {
            places[choice] = choices.count
            choices.append(choice)
        }
        self.choices = choices
        first = [[Slot]](repeating: [], count: choices.count)
        later = first
        for (index, sequence) in sequences.enumerated() {
            for (place, slot) in sequence.slots.enumerated() {
                guard let number = Slot(exactly: completes.count) else {
                    throw FilterError("the lists hold too many templates: 65,536 slots")
                }
                for choice in slot {
                    guard let known = places[choice] else { continue }
                    if place == 0 { first[known].append(number) } else { later[known].append(number) }
                }
                completes.append(place == sequence.slots.count - 1 ? index : nil)
            }
        }
    }
}

extension [PhraseSequence] {
    fileprivate func joined(_ slots: KeyPath<PhraseSequence, [[String]]>) -> [String] {
        flatMap { $0[keyPath: slots].joined() }
    }
}

/// Puts choices together, in the order in which they end.
struct SequenceScanner: Sendable {
    /// A choice that was found. A unit is a word or a Chinese character; the first is number 0.
    struct Piece {
        var choice: Int
        var units: ClosedRange<Int>
        /// In the folded text.
        var range: Range<Int>
        /// Stops before it; nil for letters that were pulled apart, among which signs say nothing.
        var stops: Int?
    }

    /// Slots that are filled, up to one of `slots`.
    private struct Beginning {
        /// In order.
        var slots: [PhraseSequences.Slot]
        var lastUnit: Int
        var start: Int
        var end: Int
        var stops: Int?
    }

    /// Bytes between two choices, and where one of them is a stop.
    private static let gapLimit = 8
    private static let stopGapLimit = 3
    /// The oldest of more are given up.
    private static let beginningLimit = 64
    private var beginnings: [Beginning] = []

    /// - Returns: whether a piece could belong to any sequence.
    func wants(_ piece: Piece, _ sequences: PhraseSequences) -> Bool {
        !sequences.first[piece.choice].isEmpty
            || !sequences.later[piece.choice].isEmpty
                && beginnings.contains { $0.lastUnit == piece.units.lowerBound - 1 }
    }

    /// - Returns: sequences that the piece completes, with where they began.
    mutating func add(
        _ piece: Piece, _ text: FoldedText, _ sequences: PhraseSequences
    ) -> [(sequence: Int, start: Int)] {
        var found: [(sequence: Int, start: Int)] = []
        var fresh: [Beginning] = []
        func fill(_ slots: [PhraseSequences.Slot], from start: Int) {
            for slot in slots {
                if let sequence = sequences.completes[Int(slot)] { found.append((sequence, start)) }
            }
            guard slots.contains(where: { sequences.completes[Int($0)] == nil }) else { return }
            fresh.append(
                Beginning(
                    slots: slots, lastUnit: piece.units.upperBound, start: start, end: piece.range.upperBound,
                    stops: piece.stops))
        }
        fill(sequences.first[piece.choice], from: piece.range.lowerBound)
        let later = sequences.later[piece.choice]
        if !later.isEmpty {
            for beginning in beginnings
            where beginning.lastUnit == piece.units.lowerBound - 1 && Self.joins(beginning, piece, text) {
                fill(Self.following(beginning.slots, among: later), from: beginning.start)
            }
        }
        beginnings.removeAll { $0.lastUnit < piece.units.upperBound - PhraseAutomaton.unitLimit }
        beginnings += fresh
        if beginnings.count > Self.beginningLimit { beginnings.removeFirst(beginnings.count - Self.beginningLimit) }
        return found
    }

    /// The `candidates` that stand behind one of `slots`; both are in order.
    private static func following(
        _ slots: [PhraseSequences.Slot], among candidates: [PhraseSequences.Slot]
    ) -> [PhraseSequences.Slot] {
        var following: [PhraseSequences.Slot] = []
        var index = 0
        for candidate in candidates {
            while index < slots.count, slots[index] < candidate - 1 { index += 1 }
            guard index < slots.count else { break }
            if slots[index] == candidate - 1 { following.append(candidate) }
        }
        return following
    }

    private static func joins(_ beginning: Beginning, _ piece: Piece, _ text: FoldedText) -> Bool {
        let gap = beginning.end..<max(beginning.end, piece.range.lowerBound)
        guard gap.count <= gapLimit else { return false }
        guard let stops = beginning.stops, let own = piece.stops, stops != own else { return true }
        // In Chinese a sign parts sentences; between words it may be for show.
        let isChinese =
            text.bytes[gap.lowerBound - 1 - text.base] >= 0x80 || text.bytes[gap.upperBound - text.base] >= 0x80
        return gap.count <= stopGapLimit && !isChinese
    }

    /// The first byte of what may go on.
    ///
    /// - Parameters:
    ///   - unit: the first that a choice under way may begin with.
    ///   - nextUnit: the one that has not begun.
    func hold(_ text: FoldedText, from unit: Int, nextUnit: Int) -> Int? {
        var hold: Int?
        for beginning in beginnings where beginning.lastUnit + 1 >= unit {
            if beginning.lastUnit + 1 == nextUnit, text.end - beginning.end > Self.gapLimit { continue }
            hold = min(hold ?? .max, beginning.start)
        }
        return hold
    }
}

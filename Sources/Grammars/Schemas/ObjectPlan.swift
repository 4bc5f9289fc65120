/// An object's shape, made ready to be followed member by member.
///
/// A class, so that steps hand it on without counting references to all that it holds.
final class ObjectPlan {
    struct Member {
        var name: [Unicode.Scalar]
        var formula: Int
        /// The counts to which it may belong.
        var counts: [Int]
        var isRequired: Bool
        var list: Int?
    }
    /// What members are whose names are not declared, by the patterns that their names match.
    struct Class {
        var formula: Int
        var counts: [Int]
    }

    let shape: ObjectShape
    let members: [Member]
    /// Those that must come, those of lists, and those of each list.
    let required: MemberSet
    let listed: MemberSet
    private let lists: [Int: MemberSet]
    let places: [[Unicode.Scalar]: Int]
    /// The patterns that are told apart; a label's bits count them. The highest bit stands in every label.
    let patterns: [Int]
    /// Labels whose names are all declared.
    let closed: Set<UInt64>
    /// Whether neither counts nor bounds of the size have to be watched.
    var isSimple: Bool { shape.counts.isEmpty && shape.size == CountBounds(min: 0, max: nil) }

    static let anyBit: UInt64 = 1 << 63

    init(_ shape: ObjectShape, closed: Set<UInt64> = [], in table: FormulaTable) throws(GrammarError) {
        (self.shape, self.closed) = (shape, closed)
        var patterns: [Int] = []
        for names in shape.rules.map(\.names) + shape.counts.map(\.names) {
            for pattern in [names.pattern].compactMap({ $0 }) + names.excludedPatterns
            where !patterns.contains(pattern) { patterns.append(pattern) }
        }
        guard patterns.count < 63 else { throw GrammarError(.tooComplex, "more than 62 patterns of names") }
        self.patterns = patterns
        places = Dictionary(shape.members.indices.map { (shape.members[$0].name, $0) }) { first, _ in first }
        var members: [Member] = []
        for member in shape.members {
            func belongs(_ names: NameSet) -> Bool {
                (names.pattern.map { table.automata[$0].accepts(member.name) } ?? true)
                    && !names.excluded.contains(member.name)
                    && !names.excludedPatterns.contains { table.automata[$0].accepts(member.name) }
            }
            let rules = shape.rules.filter { belongs($0.names) }.map(\.formula)
            members.append(
                Member(
                    name: member.name, formula: try table.and([member.formula] + rules),
                    counts: shape.counts.indices.filter { belongs(shape.counts[$0].names) },
                    isRequired: member.isRequired, list: member.list))
        }
        self.members = members
        var required = MemberSet(count: members.count), listed = required, lists: [Int: MemberSet] = [:]
        for (index, member) in members.enumerated() {
            if member.isRequired { required.insert(index) }
            guard let list = member.list else { continue }
            listed.insert(index)
            lists[list, default: MemberSet(count: members.count)].insert(index)
        }
        (self.required, self.listed, self.lists) = (required, listed, lists)
    }

    /// Those that are neither gone nor behind one of their list that must come first.
    func open(_ gone: MemberSet) -> MemberSet {
        var open = MemberSet(all: members.count).subtracting(gone)
        for list in lists.values {
            guard let next = list.intersection(required).subtracting(gone).first else { continue }
            open = open.subtracting(list.from(next + 1))
        }
        return open
    }

    /// What is gone behind a member: it, and what stands before it in its list.
    func gone(behind index: Int, _ gone: MemberSet) -> MemberSet {
        var gone = gone
        if let list = members[index].list.flatMap({ lists[$0] }) { gone.formUnion(list.subtracting(list.from(index))) }
        gone.insert(index)
        return gone
    }

    /// What a member is whose name is not declared and has a label.
    func undeclared(_ label: UInt64, in table: FormulaTable) throws(GrammarError) -> Class {
        func belongs(_ names: NameSet) -> Bool {
            func matches(_ pattern: Int) -> Bool {
                patterns.firstIndex(of: pattern).map { label & 1 << UInt64($0) != 0 } ?? false
            }
            return names.pattern.map(matches) ?? true && !names.excludedPatterns.contains(where: matches)
        }
        if closed.contains(label) { return Class(formula: FormulaTable.none, counts: []) }
        return Class(
            formula: try table.and(shape.rules.filter { belongs($0.names) }.map(\.formula)),
            counts: shape.counts.indices.filter { belongs(shape.counts[$0].names) })
    }
}

/// A set of declared members of one object, by their numbers.
struct MemberSet: Hashable {
    private var words: [UInt64]

    init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

    /// All of so many.
    init(all count: Int) {
        words = Array(repeating: .max, count: (count + 63) / 64)
        if count % 64 > 0 { words[count / 64] = 1 << UInt64(count % 64) - 1 }
    }

    func contains(_ index: Int) -> Bool {
        index / 64 < words.count && words[index / 64] & 1 << UInt64(index % 64) != 0
    }

    mutating func insert(_ index: Int) { words[index / 64] |= 1 << UInt64(index % 64) }

    mutating func formUnion(_ other: MemberSet) {
        for (index, word) in other.words.enumerated() { words[index] |= word }
    }

    func intersection(_ other: MemberSet) -> MemberSet { combined(other) { $0 & $1 } }
    func subtracting(_ other: MemberSet) -> MemberSet { combined(other) { $0 & ~$1 } }

    /// Those from a number on.
    func from(_ first: Int) -> MemberSet {
        var result = self
        for index in words.indices where index <= first / 64 {
            result.words[index] &= index < first / 64 ? 0 : ~(1 << UInt64(first % 64) - 1)
        }
        return result
    }

    private func combined(_ other: MemberSet, _ combine: (UInt64, UInt64) -> UInt64) -> MemberSet {
        var result = self
        for (index, word) in other.words.enumerated() { result.words[index] = combine(words[index], word) }
        return result
    }

    var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// The lowest number.
    var first: Int? {
        words.firstIndex { $0 != 0 }.map { $0 * 64 + words[$0].trailingZeroBitCount }
    }

    /// All numbers, in order.
    var elements: [Int] {
        var elements: [Int] = []
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                elements.append(index * 64 + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
        return elements
    }
}

/// How far an object is: the alternative that it follows, and what has been seen of it.
struct ObjectProgress: Hashable {
    /// The number of a plan.
    var plan: Int
    /// Declared members that have been, or can come no more.
    var gone: MemberSet
    /// Members, and those that count, as far as they have to be told apart.
    var size = 0
    var counts: [Int]
}

/// How far an array is.
struct ArrayProgress: Hashable {
    /// The number of a shape.
    var shape: Int
    /// Items, as far as they have to be told apart.
    var index = 0
    var counts: [Int]
}

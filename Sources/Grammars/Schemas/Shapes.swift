// What schemas say of arrays and objects, as far as it is not a Boolean combination. Subschemas are the numbers of formulas.

/// A number of items or members, each of which satisfies a formula.
struct CountBounds: Sendable, Hashable {
    var min: Int
    var max: Int?

    func contains(_ count: Int) -> Bool { count >= min && max.map { count <= $0 } ?? true }
    /// No more than so many need to be told apart.
    var limit: Int { max.map { $0 + 1 } ?? min }
}

struct ArrayShape: Sendable, Hashable {
    struct Count: Sendable, Hashable {
        var formula: Int
        /// The first item that counts.
        var from: Int
        var bounds: CountBounds
    }

    /// What the first items are, and what those behind them are.
    var prefix: [Int] = []
    var rest: Int
    var length = CountBounds(min: 0, max: nil)
    var counts: [Count] = []
    /// Whether no two items are equal.
    var isUnique = false

    func item(_ index: Int) -> Int { index < prefix.count ? prefix[index] : rest }
}

/// A set of members' names.
struct NameSet: Sendable, Hashable {
    /// The number of an automaton; nil for all names.
    var pattern: Int?
    /// Without these; every shape that has the set declares them.
    var excluded: [[Unicode.Scalar]] = []
    /// Without those of automata.
    var excludedPatterns: [Int] = []

    static let all = NameSet()
}

struct ObjectShape: Sendable, Hashable {
    struct Member: Sendable, Hashable {
        var name: [Unicode.Scalar]
        var formula: Int
        var isRequired = false
        /// Required members of one list are written in its order; nil for one that may stand anywhere.
        var list: Int?
    }
    struct Rule: Sendable, Hashable {
        var names: NameSet
        var formula: Int
    }
    struct Count: Sendable, Hashable {
        var names: NameSet
        var formula: Int
        var bounds: CountBounds
    }

    var members: [Member] = []
    /// What all members of some names are.
    var rules: [Rule] = []
    var counts: [Count] = []
    var size = CountBounds(min: 0, max: nil)
}

/// Everything a value may be, by its type: the normal form of a formula.
struct ValueSet: Sendable {
    var hasNull = false
    var hasFalse = false
    var hasTrue = false
    /// A union.
    var texts: [TextLanguage] = []
    var numbers = NumberPredicate.none
    /// Unions.
    var arrays: [ArrayShape] = []
    var objects: [ObjectShape] = []
}

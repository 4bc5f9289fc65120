/// Boolean combinations of what is asked of a value, each held once and known by its number; what they allow, and whether
/// anything satisfies them, is worked out when somebody asks.
final class FormulaTable {
    typealias ID = Int

    enum Node: Hashable {
        case all
        case none
        /// Sorted, without repetitions.
        case and([ID])
        case or([ID])
        case not(ID)
        case exactlyOne([ID])
        /// A subschema of the document, read when it is asked for.
        case schema(Int)
        case types(TypeSet)
        /// One of a list of values.
        case constants(Int)
        /// These ask nothing of values of other types.
        case text(TextLanguage)
        case number(NumberPredicate)
        case array(ArrayShape)
        case object(ObjectShape)
    }

    struct TypeSet: OptionSet, Hashable {
        let rawValue: UInt8
        static let null = TypeSet(rawValue: 1)
        static let boolean = TypeSet(rawValue: 2)
        static let number = TypeSet(rawValue: 4)
        static let string = TypeSet(rawValue: 8)
        static let array = TypeSet(rawValue: 16)
        static let object = TypeSet(rawValue: 32)
    }

    static let all: ID = 0
    static let none: ID = 1

    private(set) var nodes = Interner<Node>(.all, .none)
    private(set) var automata = Interner<ScalarAutomaton>(.all)
    private(set) var constants = Interner<[Constant]>()
    /// Reads the subschemas that formulas name.
    var document: SchemaDocument?
    private var schemaFormulas: [Int: ID] = [:]
    var valueSets: [ID: ValueSet] = [:]
    var openFormulas: Set<ID> = []
    var satisfiable: [ID: Bool] = [:]
    /// Formulas whose satisfiability is being found out, and whether an answer has leant on one of them.
    var openQuestions: Set<ID> = []
    var leans = false
    var arrayShapes = Interner<ArrayShape>()
    var objectPlans: [ObjectPlan] = []
    var objectPlanNumbers: [ObjectShape: Int] = [:]
    var classifiers: [[Int]: LabelledAutomaton] = [:]
    var liveArrays: [ArrayProgress: Bool] = [:]
    var liveObjects: [ObjectProgress: Bool] = [:]
    var formats: [String: TextLanguage] = [:]
    var numberAutomata: [[NumberPredicate]: NumberAutomaton] = [:]
    var wordLengths: [TextLanguage: WordLengths] = [:]

    static let allTexts = TextLanguage(automaton: 0)

    /// Steps that may still be taken; a step is a combination of two shapes or a state of a pattern that is looked at.
    private var budget = 0
    static let compileBudget = 1_000_000
    static let tokenBudget = 100_000

    /// Formulas of one grammar, at most.
    private static let limit = 200_000

    private func intern(_ node: Node) throws(GrammarError) -> ID {
        guard nodes.count < Self.limit || nodes.number(of: node) != nil else {
            throw GrammarError(.tooComplex, "it takes more than \(Self.limit) parts")
        }
        return nodes.intern(node)
    }

    /// Allows so many steps from now on.
    func allow(_ steps: Int) { budget = steps }

    /// - Throws: `GrammarError.tooComplex` where the budget does not last.
    func spend(_ steps: Int = 1) throws(GrammarError) {
        budget -= steps
        if budget < 0 { throw GrammarError(.tooComplex, "it takes too many steps to find out what it allows") }
    }

    func automaton(_ automaton: ScalarAutomaton) -> Int { automata.intern(automaton) }

    func and(_ parts: [ID]) throws(GrammarError) -> ID {
        var flat = Set<ID>()
        for part in parts {
            if part == Self.none { return Self.none }
            if case .and(let own) = nodes[part] { flat.formUnion(own) } else if part != Self.all { flat.insert(part) }
        }
        if flat.isEmpty { return Self.all }
        return flat.count == 1 ? flat.first ?? Self.all : try intern(.and(flat.sorted()))
    }

    func or(_ parts: [ID]) throws(GrammarError) -> ID {
        var flat = Set<ID>()
        for part in parts {
            if part == Self.all { return Self.all }
            if case .or(let own) = nodes[part] { flat.formUnion(own) } else if part != Self.none { flat.insert(part) }
        }
        if flat.isEmpty { return Self.none }
        return flat.count == 1 ? flat.first ?? Self.none : try intern(.or(flat.sorted()))
    }

    func not(_ part: ID) throws(GrammarError) -> ID {
        switch nodes[part] {
        case .all: Self.none
        case .none: Self.all
        case .not(let inner): inner
        default: try intern(.not(part))
        }
    }

    func exactlyOne(_ parts: [ID]) throws(GrammarError) -> ID { try intern(.exactlyOne(parts)) }
    func schema(_ index: Int) throws(GrammarError) -> ID { try intern(.schema(index)) }
    func types(_ set: TypeSet) throws(GrammarError) -> ID { try intern(.types(set)) }
    func text(_ language: TextLanguage) throws(GrammarError) -> ID { try intern(.text(language)) }
    func number(_ predicate: NumberPredicate) throws(GrammarError) -> ID { try intern(.number(predicate)) }
    func array(_ shape: ArrayShape) throws(GrammarError) -> ID { try intern(.array(shape)) }
    func object(_ shape: ObjectShape) throws(GrammarError) -> ID { try intern(.object(shape)) }

    /// What a subschema says.
    func formula(ofSchema index: Int) throws(GrammarError) -> ID {
        if let known = schemaFormulas[index] { return known }
        guard let document else { return Self.all }
        let formula = try document.formula(of: index, in: self)
        schemaFormulas[index] = formula
        return formula
    }

    /// One of some values.
    func constants(_ values: [Constant]) throws(GrammarError) -> ID {
        if values.isEmpty { return Self.none }
        return try intern(.constants(constants.intern(values)))
    }
}

/// A value that a schema names, in a form in which equal values are equal: numbers by their value, objects by the names of
/// their members.
indirect enum Constant: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(Decimal)
    case text([Unicode.Scalar])
    case array([Constant])
    /// Names in the order in which the schema has them, which does not count.
    case object([Member])

    struct Member: Sendable, Hashable {
        var name: [Unicode.Scalar]
        var value: Constant
    }
}

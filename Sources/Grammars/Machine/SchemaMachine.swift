import JSON

/// Reads JSON byte by byte, as far as it can still become a value that a formula allows. Its states are found when they are
/// first needed, and kept.
///
/// A value may follow several alternatives at once (a top-down tree automaton's subset construction): each has a tag, and the
/// value's end says which of them it was.
final class SchemaMachine {
    typealias Tags = UInt64

    /// One of the alternatives that a value follows.
    struct TaggedFormula: Hashable {
        var tag: Int
        var formula: Int
    }
    struct TaggedObject: Hashable {
        /// Of the value that the object is.
        var tag: Int
        var progress: ObjectProgress
    }
    struct TaggedArray: Hashable {
        var tag: Int
        var progress: ArrayProgress
    }

    struct ValueState: Hashable {
        var null: Tags = 0
        var isTrue: Tags = 0
        var isFalse: Tags = 0
        /// Numbers of a text table, a number table, states of an object and an array; −1 for none.
        var text: Int32 = -1
        var number: Int32 = -1
        var object: Int32 = -1
        var array: Int32 = -1
    }
    /// A class, as ``ObjectState``, so that steps hand it on without counting references to all that it holds.
    final class TextTable {
        let language: LabelledAutomaton
        let min: Int
        let max: Int?
        /// Where lengths are bounded.
        let lengths: WordLengths?
        /// Whether nothing is asked of its characters.
        let isFree: Bool

        init(language: LabelledAutomaton, min: Int = 0, max: Int? = nil, lengths: WordLengths? = nil) {
            (self.language, self.min, self.max, self.lengths) = (language, min, max, lengths)
            isFree = language.isUniversal
        }
    }
    struct NumberTable {
        var automaton: NumberAutomaton
        /// By state.
        var tags: [Tags]
    }
    final class ObjectState {
        let alternatives: [TaggedObject]
        let keys: Int
        /// Nodes of names that may come; whether any undeclared ones may, and with which labels.
        let marks: [Bool]
        let labels: UInt64
        let ends: Tags
        /// Whether any name may come that has not been.
        let isFree: Bool

        init(
            alternatives: [TaggedObject], keys: Int, marks: [Bool], labels: UInt64, ends: Tags, isFree: Bool
        ) {
            (self.alternatives, self.keys, self.marks) = (alternatives, keys, marks)
            (self.labels, self.ends, self.isFree) = (labels, ends, isFree)
        }
    }
    struct ArrayState {
        var alternatives: [TaggedArray]
        var ends: Tags
        var isUnique: Bool
        /// What an item may be, and what the array is behind it; −1 where none may come, −2 where it is not known yet.
        var item: Int32 = -2
        var following: Int32 = -1
    }
    /// A container around a value: what it is behind the value, by the value's tag.
    struct Frame: Hashable {
        var parent: Int32
        var isObject: Bool
        /// The number of a list of alternatives.
        var following: Int32
        /// Where the value began, in an array whose items differ.
        var mark: Int32
    }

    /// Alternatives that are followed at once, at most.
    static let tagLimit = 64

    let table: FormulaTable
    private(set) var values: [ValueState] = []
    private var valueNumbers: [[TaggedFormula]: Int32] = [:]
    /// Alternatives that allow the same are one value.
    private var valueContents: [ValueState: Int32] = [:]
    private(set) var texts: [TextTable] = []
    private var textNumbers: [[TextPart]: Int32] = [:]
    private(set) var numbers: [NumberTable] = []
    private var numberNumbers: [[NumberPart]: Int32] = [:]
    private(set) var objects: [ObjectState] = []
    private var objectNumbers: [[TaggedObject]: Int32] = [:]
    private(set) var arrays: [ArrayState] = []
    private var arrayNumbers: [[TaggedArray]: Int32] = [:]
    private(set) var keySpaces: [KeySpace] = []
    private var keySpaceNumbers: [[Int]: Int] = [:]
    private(set) var frames = Interner<Frame>()
    /// By frame, how many containers there are; and whether what may follow depends on the text in one of them.
    private(set) var depths: [Int32] = []
    private(set) var dependsOnText: [Bool] = []
    private var objectLists = Interner<[TaggedObject]>()
    private var arrayLists = Interner<[TaggedArray]>()
    private var keyTransitions: [UInt64: (value: Int32, following: Int32)] = [:]
    private var completions: [Completion: Int32] = [:]
    private var endlessTexts: [Int32: Bool] = [:]
    var masks = MaskCache<Configuration, TokenMask>()
    /// Room that walks through the vocabulary share.
    var way: [Configuration] = []
    /// By a configuration whose containers are not known.
    var beginnings = MaskCache<Configuration, MaskBeginning>()
    /// Whether a step that failed would have depended on containers that are not known.
    var leftContainer = false

    private struct Completion: Hashable {
        var isObject: Bool
        var list: Int32
        var tags: Tags
    }
    private struct TextPart: Hashable {
        var tags: Tags
        var language: TextLanguage
    }
    private struct NumberPart: Hashable {
        var tags: Tags
        var predicate: NumberPredicate
    }

    let root: Int32

    /// How much has been found out.
    var size: Int { table.nodes.count + frames.count + values.count + objects.count + arrays.count }

    /// - Throws: `GrammarError` that names the place and the keyword.
    convenience init(schema: JSONValue) throws(GrammarError) {
        let document = try SchemaDocument(schema)
        let table = FormulaTable()
        table.document = document
        table.allow(FormulaTable.compileBudget)
        let root = try table.schema(document.number(of: "#", scope: []))
        try document.readAll(into: table)
        try self.init(table, root: root)
    }

    /// - Throws: `GrammarError`: `.unsatisfiable` where no value is allowed.
    init(_ table: FormulaTable, root formula: Int) throws(GrammarError) {
        self.table = table
        guard try table.isSatisfiable(formula) else {
            throw GrammarError(.unsatisfiable, at: "#", "no value satisfies the schema")
        }
        root = 0
        _ = try value([TaggedFormula(tag: 0, formula: formula)])
    }

    // MARK: Values

    func value(_ parts: [TaggedFormula]) throws(GrammarError) -> Int32 {
        if let known = valueNumbers[parts] { return known }
        var state = ValueState()
        var textParts: [TextPart] = []
        var numberParts: [NumberPart] = []
        var objectParts: [TaggedObject] = []
        var arrayParts: [TaggedArray] = []
        for part in parts {
            let set = try table.values(of: part.formula)
            let bit: Tags = 1 << Tags(part.tag)
            if set.hasNull { state.null |= bit }
            if set.hasTrue { state.isTrue |= bit }
            if set.hasFalse { state.isFalse |= bit }
            for language in set.texts where try table.isSatisfiable(language) {
                if let index = textParts.firstIndex(where: { $0.language == language }) {
                    textParts[index].tags |= bit
                } else {
                    textParts.append(TextPart(tags: bit, language: language))
                }
            }
            if try table.isSatisfiable(set.numbers) {
                if let index = numberParts.firstIndex(where: { $0.predicate == set.numbers }) {
                    numberParts[index].tags |= bit
                } else {
                    numberParts.append(NumberPart(tags: bit, predicate: set.numbers))
                }
            }
            for shape in set.objects {
                let progress = try table.start(shape)
                if try table.isLive(progress) { objectParts.append(TaggedObject(tag: part.tag, progress: progress)) }
            }
            for shape in set.arrays {
                let progress = table.start(shape)
                if try table.isLive(progress) { arrayParts.append(TaggedArray(tag: part.tag, progress: progress)) }
            }
        }
        if !textParts.isEmpty { state.text = try text(textParts) }
        if !numberParts.isEmpty { state.number = try number(numberParts) }
        if !objectParts.isEmpty { state.object = try object(objectParts) }
        if !arrayParts.isEmpty { state.array = try array(arrayParts) }
        let number = valueContents[state] ?? Int32(values.count)
        if Int(number) == values.count { values.append(state) }
        (valueContents[state], valueNumbers[parts]) = (number, number)
        return number
    }

    /// What a value may be whose alternatives have these formulas.
    private func value(of formulas: [Int]) throws(GrammarError) -> Int32 {
        try value(formulas.indices.map { TaggedFormula(tag: $0, formula: formulas[$0]) })
    }

    private func text(_ parts: [TextPart]) throws(GrammarError) -> Int32 {
        if let known = textNumbers[parts] { return known }
        let own: TextTable
        if parts.count == 1, let part = parts.first {
            let language = part.language
            own = TextTable(
                language: try LabelledAutomaton([(table.automata[language.automaton], part.tags)]), min: language.min,
                max: language.max, lengths: language.isBounded ? try table.lengths(of: language) : nil)
        } else {
            var all: [(automaton: ScalarAutomaton, label: Tags)] = []
            for part in parts {
                var automaton = table.automata[part.language.automaton]
                if part.language.isBounded {
                    automaton = try automaton.intersection(.lengths(part.language.min, part.language.max))
                }
                all.append((automaton, part.tags))
            }
            own = TextTable(language: try LabelledAutomaton(all))
        }
        texts.append(own)
        textNumbers[parts] = Int32(texts.count - 1)
        return Int32(texts.count - 1)
    }

    /// Whether a text table has more texts than anybody writes.
    func isEndless(text number: Int32) -> Bool {
        if let known = endlessTexts[number] { return known }
        let text = texts[Int(number)]
        let isEndless =
            text.isFree ? text.max ?? 1 > 0 : text.max == nil && text.language.automaton.longest()[0] == .max
        endlessTexts[number] = isEndless
        return isEndless
    }

    private func number(_ parts: [NumberPart]) throws(GrammarError) -> Int32 {
        if let known = numberNumbers[parts] { return known }
        let automaton = try table.automaton(of: parts.map(\.predicate))
        let tags = automaton.accepted.map { bits in
            parts.indices.reduce(Tags(0)) { bits & 1 << UInt64($1) == 0 ? $0 : $0 | parts[$1].tags }
        }
        numbers.append(NumberTable(automaton: automaton, tags: tags))
        numberNumbers[parts] = Int32(numbers.count - 1)
        return Int32(numbers.count - 1)
    }

    // MARK: Objects

    func object(_ alternatives: [TaggedObject]) throws(GrammarError) -> Int32 {
        if let known = objectNumbers[alternatives] { return known }
        let plans = Self.plans(of: alternatives)
        let keys: Int
        if let known = keySpaceNumbers[plans] {
            keys = known
        } else {
            keySpaces.append(try KeySpace(plans, in: table))
            keys = keySpaces.count - 1
            keySpaceNumbers[plans] = keys
        }
        let space = keySpaces[keys]
        var names = Set<Int>()
        var labels: UInt64 = 0
        for alternative in alternatives {
            let place = plans.firstIndex(of: alternative.progress.plan) ?? 0
            let open = table.mayFollow(alternative.progress)
            let mayBeUndeclared = table.mayFollowUndeclared(alternative.progress)
            for key in space.meanings.indices {
                let branches: [FormulaTable.Branch<ObjectProgress>]
                switch space.meanings[key][place] {
                case .declared(let index):
                    guard open.contains(index), !names.contains(key) else { continue }
                    branches = try table.values(alternative.progress, member: index)
                case .undeclared(let label):
                    guard mayBeUndeclared else { continue }
                    branches = try table.values(alternative.progress, label: label)
                }
                var leads = false
                for branch in branches where !leads { leads = try leadsOn(branch) }
                guard leads else { continue }
                if key < space.nameCount { names.insert(key) } else { labels |= 1 << UInt64(key - space.nameCount) }
            }
        }
        let ends = alternatives.reduce(Tags(0)) { tags, alternative in
            table.canEnd(alternative.progress) ? tags | 1 << Tags(alternative.tag) : tags
        }
        objects.append(
            ObjectState(
                alternatives: alternatives, keys: keys, marks: space.marks(names), labels: labels, ends: ends,
                isFree: space.classifier.isUniversal && labels != 0))
        objectNumbers[alternatives] = Int32(objects.count - 1)
        return Int32(objects.count - 1)
    }

    /// The plans of an object's alternatives, in the order of its key space.
    private static func plans(of alternatives: [TaggedObject]) -> [Int] {
        var plans: [Int] = []
        for plan in alternatives.map(\.progress.plan) where !plans.contains(plan) { plans.append(plan) }
        return plans
    }

    private func leadsOn(_ branch: FormulaTable.Branch<ObjectProgress>) throws(GrammarError) -> Bool {
        guard try table.isSatisfiable(branch.formula) else { return false }
        return try table.isLive(branch.progress)
    }

    private func leadsOn(_ branch: FormulaTable.Branch<ArrayProgress>) throws(GrammarError) -> Bool {
        guard try table.isSatisfiable(branch.formula) else { return false }
        return try table.isLive(branch.progress)
    }

    /// Where a container may be behind a value, and what the value is then.
    private struct Gathered<Alternative: Equatable> {
        private(set) var alternatives: [Alternative] = []
        private(set) var formulas: [Int] = []

        mutating func add(_ next: Alternative, _ formula: Int, _ table: FormulaTable) throws(GrammarError) {
            if let index = alternatives.firstIndex(of: next) {
                formulas[index] = try table.or([formulas[index], formula])
            } else if alternatives.count < SchemaMachine.tagLimit {
                alternatives.append(next)
                formulas.append(formula)
            }
        }
    }

    private func branches(
        _ key: Int, _ alternative: TaggedObject, _ space: KeySpace, _ plans: [Int]
    ) throws(GrammarError) -> [FormulaTable.Branch<ObjectProgress>] {
        switch space.meanings[key][plans.firstIndex(of: alternative.progress.plan) ?? 0] {
        case .declared(let index):
            guard table.mayFollow(alternative.progress).contains(index) else { return [] }
            return try table.values(alternative.progress, member: index)
        case .undeclared(let label):
            guard table.mayFollowUndeclared(alternative.progress) else { return [] }
            return try table.values(alternative.progress, label: label)
        }
    }

    /// What a member's value may be, and what the object is behind it.
    func member(_ object: Int32, key: Int) throws(GrammarError) -> (value: Int32, following: Int32)? {
        let transition = UInt64(object) << 32 | UInt64(key)
        if let known = keyTransitions[transition] { return known }
        let state = objects[Int(object)]
        let plans = Self.plans(of: state.alternatives)
        var gathered = Gathered<TaggedObject>()
        for alternative in state.alternatives {
            for branch in try branches(key, alternative, keySpaces[state.keys], plans) where try leadsOn(branch) {
                try gathered.add(TaggedObject(tag: alternative.tag, progress: branch.progress), branch.formula, table)
            }
        }
        if gathered.alternatives.isEmpty { return nil }
        let result = (try value(of: gathered.formulas), Int32(objectLists.intern(gathered.alternatives)))
        keyTransitions[transition] = result
        return result
    }

    // MARK: Arrays

    func array(_ alternatives: [TaggedArray]) throws(GrammarError) -> Int32 {
        if let known = arrayNumbers[alternatives] { return known }
        let ends = alternatives.reduce(Tags(0)) { tags, alternative in
            table.canEnd(alternative.progress) ? tags | 1 << Tags(alternative.tag) : tags
        }
        arrays.append(
            ArrayState(
                alternatives: alternatives, ends: ends,
                isUnique: alternatives.contains { table.arrayShapes[$0.progress.shape].isUnique }))
        arrayNumbers[alternatives] = Int32(arrays.count - 1)
        return Int32(arrays.count - 1)
    }

    /// What the next item may be, and what the array is behind it.
    func item(_ array: Int32) throws(GrammarError) -> (value: Int32, following: Int32)? {
        let state = arrays[Int(array)]
        if state.item == -1 { return nil }
        if state.item >= 0 { return (state.item, state.following) }
        var gathered = Gathered<TaggedArray>()
        for alternative in state.alternatives {
            for branch in try table.items(alternative.progress) where try leadsOn(branch) {
                try gathered.add(TaggedArray(tag: alternative.tag, progress: branch.progress), branch.formula, table)
            }
        }
        guard !gathered.alternatives.isEmpty else {
            arrays[Int(array)].item = -1
            return nil
        }
        let list = Int32(arrayLists.intern(gathered.alternatives)), item = try value(of: gathered.formulas)
        (arrays[Int(array)].item, arrays[Int(array)].following) = (item, list)
        return (item, list)
    }

    /// The array in which a value may not come again.
    func excluding(_ constant: Constant, from array: Int32) throws(GrammarError) -> Int32 {
        var next: [TaggedArray] = []
        let other = try table.not(try table.constants([constant]))
        for alternative in arrays[Int(array)].alternatives {
            var own = alternative
            var shape = table.arrayShapes[own.progress.shape]
            if shape.isUnique {
                do throws(GrammarError) {
                    shape.prefix = try shape.prefix.map { formula throws(GrammarError) in
                        try table.and([formula, other])
                    }
                    shape.rest = try table.and([shape.rest, other])
                    _ = try table.values(of: shape.rest)
                } catch {
                    // What cannot be told apart any more is the end.
                    (shape.prefix, shape.rest) = ([], FormulaTable.none)
                }
                own.progress.shape = table.number(of: shape)
            }
            next.append(own)
        }
        return try self.array(next)
    }

    // MARK: Frames

    func push(_ frame: Frame) -> Int32 {
        let number = Int32(frames.intern(frame))
        if depths.count < frames.count {
            depths.append(frame.parent < 0 ? 1 : depths[Int(frame.parent)] + 1)
            dependsOnText.append(frame.mark > 0 || frame.parent >= 0 && dependsOnText[Int(frame.parent)])
        }
        return number
    }

    /// The container behind a value that was what the tags say.
    func completed(_ frame: Frame, _ tags: Tags) throws(GrammarError) -> Int32 {
        let completion = Completion(isObject: frame.isObject, list: frame.following, tags: tags)
        if let known = completions[completion] { return known }
        let state =
            frame.isObject
            ? try object(Self.kept(objectLists[frame.following], tags))
            : try array(Self.kept(arrayLists[frame.following], tags))
        completions[completion] = state
        return state
    }

    /// The alternatives with these tags, each once.
    private static func kept<Alternative: Equatable>(_ list: [Alternative], _ tags: Tags) -> [Alternative] {
        var kept: [Alternative] = []
        for index in list.indices where tags & 1 << Tags(index) != 0 && !kept.contains(list[index]) {
            kept.append(list[index])
        }
        return kept
    }
}

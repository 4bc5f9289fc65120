// How arrays and objects go on, and whether they can come to an end.

extension FormulaTable {
    /// What a step into a value leaves to be satisfied, and how far its container is behind it.
    struct Branch<Progress> {
        var formula: ID
        var progress: Progress
    }

    /// States of one array or object that are looked at, at most.
    private static let searchLimit = 50_000

    func number(of shape: ArrayShape) -> Int { arrayShapes.intern(shape) }

    func number(of shape: ObjectShape) throws(GrammarError) -> Int {
        if let known = objectPlanNumbers[shape] { return known }
        objectPlans.append(try plan(of: shape))
        objectPlanNumbers[shape] = objectPlans.count - 1
        return objectPlans.count - 1
    }

    /// Names that patterns leave few of are declared, so that it is known which are left.
    private func plan(of shape: ObjectShape) throws(GrammarError) -> ObjectPlan {
        let plan = try ObjectPlan(shape, in: self)
        if plan.patterns.isEmpty { return plan }
        var own = shape
        var closed = Set<UInt64>()
        let classifier = try classifier(plan.patterns)
        for label in Set(classifier.labels).sorted() {
            let names = classifier.automaton(of: label).words(limit: 256)
            guard try plan.undeclared(label, in: self).formula != Self.none, let names else { continue }
            closed.insert(label)
            for name in names.sorted() where plan.places[Array(name.unicodeScalars)] == nil {
                own.members.append(.init(name: Array(name.unicodeScalars), formula: Self.all))
            }
        }
        return closed.isEmpty ? plan : try ObjectPlan(own, closed: closed, in: self)
    }

    func start(_ shape: ArrayShape) -> ArrayProgress {
        ArrayProgress(shape: number(of: shape), counts: shape.counts.map { _ in 0 })
    }

    func start(_ shape: ObjectShape) throws(GrammarError) -> ObjectProgress {
        // A plan may declare more names than its shape.
        let number = try number(of: shape)
        return ObjectProgress(
            plan: number, gone: MemberSet(count: objectPlans[number].members.count), counts: shape.counts.map { _ in 0 }
        )
    }

    func canEnd(_ progress: ArrayProgress) -> Bool {
        let shape = arrayShapes[progress.shape]
        return shape.length.contains(progress.index)
            && zip(shape.counts, progress.counts).allSatisfy { $0.bounds.contains($1) }
    }

    func canEnd(_ progress: ObjectProgress) -> Bool {
        let plan = objectPlans[progress.plan]
        return plan.required.subtracting(progress.gone).isEmpty && plan.shape.size.contains(progress.size)
            && zip(plan.shape.counts, progress.counts).allSatisfy { $0.bounds.contains($1) }
    }

    /// The ways in which the next item may be.
    func items(_ progress: ArrayProgress) throws(GrammarError) -> [Branch<ArrayProgress>] {
        let shape = arrayShapes[progress.shape]
        if let max = shape.length.max, progress.index >= max { return [] }
        let last = max(shape.prefix.count, shape.length.limit, shape.counts.map { $0.from }.max() ?? 0)
        var next = progress
        next.index = min(progress.index + 1, last)
        let open = shape.counts.indices.filter { progress.index >= shape.counts[$0].from }
        return try branches(
            shape.item(progress.index), open.map { (shape.counts[$0].formula, shape.counts[$0].bounds, $0) },
            progress.counts
        ).map { formula, counts in
            var own = next
            own.counts = counts
            return Branch(formula: formula, progress: own)
        }
    }

    /// The declared members that may come next, as far as their order and number say.
    func mayFollow(_ progress: ObjectProgress) -> MemberSet {
        let plan = objectPlans[progress.plan]
        return hasRoom(progress) ? plan.open(progress.gone) : MemberSet(count: plan.members.count)
    }

    /// Whether a member that is not declared may come: behind those of lists.
    func mayFollowUndeclared(_ progress: ObjectProgress) -> Bool {
        let plan = objectPlans[progress.plan]
        return hasRoom(progress)
            && plan.required.intersection(plan.listed).subtracting(progress.gone).isEmpty
    }

    private func hasRoom(_ progress: ObjectProgress) -> Bool {
        objectPlans[progress.plan].shape.size.max.map { progress.size < $0 } ?? true
    }

    /// What comes of a declared member that may follow.
    func values(
        _ progress: ObjectProgress, member index: Int
    ) throws(GrammarError) -> [Branch<ObjectProgress>] {
        let plan = objectPlans[progress.plan]
        return try values(
            progress, plan.members[index].formula, plan.members[index].counts, plan.gone(behind: index, progress.gone))
    }

    /// What comes of a member that is not declared and may follow.
    func values(
        _ progress: ObjectProgress, label: UInt64
    ) throws(GrammarError) -> [Branch<ObjectProgress>] {
        let plan = objectPlans[progress.plan]
        let own = try plan.undeclared(label, in: self)
        var gone = progress.gone
        gone.formUnion(plan.listed)
        return try values(progress, own.formula, own.counts, gone)
    }

    private func values(
        _ progress: ObjectProgress, _ formula: ID, _ counts: [Int], _ gone: MemberSet
    ) throws(GrammarError) -> [Branch<ObjectProgress>] {
        var following = progress
        following.gone = gone
        let shape = objectPlans[progress.plan].shape
        following.size = min(progress.size + 1, shape.size.limit)
        return try branches(
            formula, counts.map { (shape.counts[$0].formula, shape.counts[$0].bounds, $0) }, progress.counts
        ).map { formula, counts in
            var own = following
            own.counts = counts
            return Branch(formula: formula, progress: own)
        }
    }

    /// The ways in which a value may count or not.
    private func branches(
        _ formula: ID, _ open: [(formula: ID, bounds: CountBounds, index: Int)], _ counts: [Int]
    ) throws(GrammarError) -> [(formula: ID, counts: [Int])] {
        var branches = [(formula: formula, counts: counts)]
        for count in open {
            var next: [(formula: ID, counts: [Int])] = []
            for branch in branches {
                let so = branch.counts[count.index]
                guard count.bounds.max != nil || so < count.bounds.min else {
                    next.append(branch)
                    continue
                }
                if count.bounds.max.map({ so < $0 }) ?? true {
                    var counted = branch
                    counted.formula = try and([branch.formula, count.formula])
                    counted.counts[count.index] += 1
                    next.append(counted)
                }
                // Where there is no upper bound, one that is not counted need not be different.
                var other = branch
                if count.bounds.max != nil { other.formula = try and([branch.formula, try not(count.formula)]) }
                next.append(other)
            }
            branches = next
            guard branches.count <= 64 else {
                throw GrammarError(.tooComplex, "more than six things are counted at once")
            }
        }
        return branches.filter { $0.formula != Self.none }
    }

    // MARK: Whether there is an end

    /// Whether any value satisfies a formula.
    func isSatisfiable(_ id: ID) throws(GrammarError) -> Bool {
        if id == Self.all { return true }
        if id == Self.none { return false }
        if let known = satisfiable[id] { return known }
        guard !openFormulas.contains(id) else { throw GrammarError(.pending, "a subschema is still being read") }
        // A value that is only itself inside of itself does not end.
        guard openQuestions.insert(id).inserted else {
            leans = true
            return false
        }
        defer { openQuestions.remove(id) }
        let before = leans
        leans = false
        let answer = try isSatisfiable(values(of: id))
        if answer || !leans || openQuestions.count == 1 { satisfiable[id] = answer }
        leans = before || leans && !answer
        return answer
    }

    private func isSatisfiable(_ set: ValueSet) throws(GrammarError) -> Bool {
        if set.hasNull || set.hasFalse || set.hasTrue { return true }
        for language in set.texts where try isSatisfiable(language) { return true }
        if try isSatisfiable(set.numbers) { return true }
        for shape in set.arrays where try isLive(start(shape)) { return true }
        for shape in set.objects where try isLive(try start(shape)) { return true }
        return false
    }

    func isSatisfiable(_ language: TextLanguage) throws(GrammarError) -> Bool {
        if automata[language.automaton].isEmpty { return false }
        return try lengths(of: language).has(0, language.min, language.max)
    }

    func lengths(of language: TextLanguage) throws(GrammarError) -> WordLengths {
        if let known = wordLengths[language] { return known }
        let lengths = try WordLengths(automata[language.automaton], upTo: language.max)
        wordLengths[language] = lengths
        return lengths
    }

    func isSatisfiable(_ predicate: NumberPredicate) throws(GrammarError) -> Bool {
        switch predicate {
        case .any, .integer, .below, .equals, .multiple: true
        case .none: false
        default: try !automaton(of: [predicate]).isEmpty
        }
    }

    /// How many values satisfy a formula, where it names them; nil where that is not known.
    private func cardinality(_ id: ID) throws(GrammarError) -> Int? {
        let set = try values(of: id)
        guard set.arrays.isEmpty, set.objects.isEmpty else { return nil }
        var count = (set.hasNull ? 1 : 0) + (set.hasFalse ? 1 : 0) + (set.hasTrue ? 1 : 0)
        for language in set.texts {
            guard let words = automata[language.automaton].words(limit: 1_000) else { return nil }
            count += words.count {
                language.min <= $0.unicodeScalars.count && $0.unicodeScalars.count <= language.max ?? .max
            }
        }
        guard try isSatisfiable(set.numbers) else { return count }
        guard let numbers = set.numbers.listed else { return nil }
        return count + Set(numbers.filter { set.numbers.holds(of: $0) }).count
    }

    func automaton(of predicates: [NumberPredicate]) throws(GrammarError) -> NumberAutomaton {
        if let known = numberAutomata[predicates] { return known }
        let automaton = try NumberAutomaton(predicates)
        numberAutomata[predicates] = automaton
        return automaton
    }

    /// Whether an array that is so far can come to an end.
    func isLive(_ progress: ArrayProgress) throws(GrammarError) -> Bool {
        if let known = liveArrays[progress] { return known }
        let shape = arrayShapes[progress.shape]
        if shape.isUnique, let count = try cardinality(shape.rest),
            shape.length.min - max(progress.index, shape.prefix.count) > count
        {
            return false
        }
        return try isLive(progress, known: \.liveArrays, canEnd: canEnd) { progress throws(GrammarError) in
            try self.items(progress)
        }
    }

    func isLive(_ progress: ObjectProgress) throws(GrammarError) -> Bool {
        if canEnd(progress) { return true }
        if let known = liveObjects[progress] { return known }
        return try isLive(progress, known: \.liveObjects, canEnd: canEnd) { progress throws(GrammarError) in
            try self.values(progress)
        }
    }

    /// Everything that may come next in an object.
    private func values(_ progress: ObjectProgress) throws(GrammarError) -> [Branch<ObjectProgress>] {
        let plan = objectPlans[progress.plan]
        var all: [Branch<ObjectProgress>] = []
        // Without counts, leaving out what may be left out leads as far.
        var next = mayFollow(progress)
        if plan.isSimple { next = next.intersection(plan.required) }
        for index in next.elements {
            all += try values(progress, member: index)
            if plan.isSimple { return all }
        }
        guard !plan.isSimple, mayFollowUndeclared(progress) else { return all }
        for label in Set(try classifier(plan.patterns).labels) { all += try values(progress, label: label) }
        return all
    }

    /// Tells names apart by the patterns that they match; every name has a label.
    func classifier(_ patterns: [Int]) throws(GrammarError) -> LabelledAutomaton {
        if let known = classifiers[patterns] { return known }
        var parts = [(automaton: ScalarAutomaton.all, label: ObjectPlan.anyBit)]
        for (index, pattern) in patterns.enumerated() { parts.append((automata[pattern], 1 << UInt64(index))) }
        let classifier = try LabelledAutomaton(parts)
        classifiers[patterns] = classifier
        return classifier
    }

    /// Looks for a way to an end, through values that can be had.
    private func isLive<Progress: Hashable>(
        _ start: Progress, known: ReferenceWritableKeyPath<FormulaTable, [Progress: Bool]>,
        canEnd: (Progress) -> Bool, next: (Progress) throws(GrammarError) -> [Branch<Progress>]
    ) throws(GrammarError) -> Bool {
        let before = leans
        leans = false
        // With the place in this list from which each was reached.
        var found: [(progress: Progress, from: Int)] = [(start, -1)]
        var seen: Set<Progress> = [start]
        var open = [0]
        var answer = false
        while let place = open.popLast() {
            let progress = found[place].progress
            if canEnd(progress) || self[keyPath: known][progress] == true {
                answer = true
                // All on the way here come to this end.
                var way = place
                while way >= 0 {
                    self[keyPath: known][found[way].progress] = true
                    way = found[way].from
                }
                break
            }
            for branch in try next(progress) where !seen.contains(branch.progress) {
                try spend()
                guard try isSatisfiable(branch.formula) else { continue }
                seen.insert(branch.progress)
                open.append(found.count)
                found.append((branch.progress, place))
                guard seen.count <= Self.searchLimit else {
                    throw GrammarError(.tooComplex, "an array or object has more than \(Self.searchLimit) states")
                }
            }
        }
        if !answer, !leans { self[keyPath: known][start] = false }
        leans = before || leans && !answer
        return answer
    }
}

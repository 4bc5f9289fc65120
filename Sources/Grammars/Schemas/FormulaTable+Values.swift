// The normal form of formulas: what they allow of each type of value.

extension FormulaTable {
    /// Alternatives of arrays, and of objects, that a value may have, at most.
    private static let alternativeLimit = 256

    /// What a formula allows.
    ///
    /// - Throws: `GrammarError`: `.unsatisfiable` for one that is defined by itself, `.tooComplex`.
    func values(of id: ID) throws(GrammarError) -> ValueSet {
        if let known = valueSets[id] { return known }
        guard openFormulas.insert(id).inserted else {
            throw GrammarError(.unsatisfiable, "\"$ref\" leads back to itself without a value between")
        }
        defer { openFormulas.remove(id) }
        let set = try computeValues(of: id)
        valueSets[id] = set
        return set
    }

    private func computeValues(of id: ID) throws(GrammarError) -> ValueSet {
        switch nodes[id] {
        case .all: return everything
        case .none: return ValueSet()
        case .schema(let index): return try values(of: try formula(ofSchema: index))
        case .types(let types): return restricted(everything, to: types)
        case .constants(let number): return try self.values(ofConstants: constants[number])
        case .text(let language):
            var set = everything
            set.texts = automata[language.automaton].isEmpty ? [] : [language]
            return set
        case .number(let predicate):
            var set = everything
            set.numbers = predicate
            return set
        case .array(let shape):
            var set = everything
            set.arrays = [shape]
            return set
        case .object(let shape):
            var set = everything
            set.objects = [shape]
            return set
        case .and(let parts):
            var set = try values(of: parts[0])
            for part in parts.dropFirst() { set = try intersection(set, try values(of: part)) }
            return set
        case .or(let parts):
            var set = ValueSet()
            for part in parts { set = try union(set, try values(of: part)) }
            return set
        case .not(let inner): return try complement(try values(of: inner))
        case .exactlyOne(let parts):
            var alternatives: [ID] = []
            for (index, part) in parts.enumerated() {
                var own = [part]
                for (number, other) in parts.enumerated() where number != index {
                    if try !areDisjoint(part, other) { own.append(try not(other)) }
                }
                alternatives.append(try and(own))
            }
            return try values(of: try or(alternatives))
        }
    }

    /// Whether no value is known to be both; where one is still being read, that is not known.
    private func areDisjoint(_ a: ID, _ b: ID) throws(GrammarError) -> Bool {
        do throws(GrammarError) {
            return try !isSatisfiable(try and([a, b]))
        } catch {
            guard error.code == .pending else { throw error }
            return false
        }
    }

    var everything: ValueSet {
        ValueSet(
            hasNull: true, hasFalse: true, hasTrue: true, texts: [Self.allTexts], numbers: .any,
            arrays: [ArrayShape(rest: Self.all)], objects: [ObjectShape()])
    }

    private func restricted(_ set: ValueSet, to types: TypeSet) -> ValueSet {
        ValueSet(
            hasNull: set.hasNull && types.contains(.null), hasFalse: set.hasFalse && types.contains(.boolean),
            hasTrue: set.hasTrue && types.contains(.boolean), texts: types.contains(.string) ? set.texts : [],
            numbers: types.contains(.number) ? set.numbers : .none, arrays: types.contains(.array) ? set.arrays : [],
            objects: types.contains(.object) ? set.objects : [])
    }

    private func values(ofConstants constants: [Constant]) throws(GrammarError) -> ValueSet {
        var set = ValueSet()
        var texts: [[Unicode.Scalar]] = []
        for constant in constants {
            switch constant {
            case .null: set.hasNull = true
            case .bool(let flag): if flag { set.hasTrue = true } else { set.hasFalse = true }
            case .number(let value): set.numbers = set.numbers.or(.equals(value))
            case .text(let text): texts.append(text)
            case .array(let elements):
                let items = try elements.map { element throws(GrammarError) in try self.constants([element]) }
                set.arrays.append(
                    ArrayShape(
                        prefix: items, rest: Self.none, length: .init(min: items.count, max: items.count)))
            case .object(let members):
                var shape = ObjectShape()
                for member in members {
                    shape.members.append(
                        .init(name: member.name, formula: try self.constants([member.value]), isRequired: true, list: 0)
                    )
                }
                shape.rules = [.init(names: NameSet(excluded: members.map(\.name)), formula: Self.none)]
                set.objects.append(shape)
            }
        }
        if !texts.isEmpty { set.texts = [TextLanguage(automaton: automaton(ScalarAutomaton(words: texts)))] }
        return set
    }

    // MARK: Boolean operations

    private func intersection(_ a: ValueSet, _ b: ValueSet) throws(GrammarError) -> ValueSet {
        var set = ValueSet(
            hasNull: a.hasNull && b.hasNull, hasFalse: a.hasFalse && b.hasFalse, hasTrue: a.hasTrue && b.hasTrue)
        set.numbers = a.numbers.and(b.numbers)
        set.texts = try intersection(a.texts, b.texts)
        for left in a.arrays {
            for right in b.arrays {
                if let shape = try intersection(left, right), !set.arrays.contains(shape) { set.arrays.append(shape) }
            }
        }
        for left in a.objects {
            for right in b.objects {
                if let shape = try intersection(left, right), !set.objects.contains(shape) {
                    set.objects.append(shape)
                }
            }
        }
        try check(set)
        return set
    }

    private func check(_ set: ValueSet) throws(GrammarError) {
        guard max(set.arrays.count, set.objects.count, set.texts.count) <= Self.alternativeLimit else {
            throw GrammarError(
                .tooComplex, "its combinations have more than \(Self.alternativeLimit) alternatives")
        }
    }

    private func union(_ a: ValueSet, _ b: ValueSet) throws(GrammarError) -> ValueSet {
        var set = ValueSet(
            hasNull: a.hasNull || b.hasNull, hasFalse: a.hasFalse || b.hasFalse, hasTrue: a.hasTrue || b.hasTrue)
        set.numbers = a.numbers.or(b.numbers)
        set.texts = try simplified(a.texts + b.texts)
        set.arrays = a.arrays + b.arrays.filter { !a.arrays.contains($0) }
        set.objects = a.objects + b.objects.filter { !a.objects.contains($0) }
        try check(set)
        return set
    }

    private func complement(_ set: ValueSet) throws(GrammarError) -> ValueSet {
        var other = everything
        (other.hasNull, other.hasFalse, other.hasTrue) = (!set.hasNull, !set.hasFalse, !set.hasTrue)
        other.numbers = set.numbers.inverted
        for language in set.texts { other.texts = try intersection(other.texts, try complement(language)) }
        for shape in set.arrays {
            var rest = ValueSet()
            rest.arrays = try negations(of: shape)
            other = try intersection(other, keepingArrays: rest.arrays)
        }
        for shape in set.objects { other = try intersection(other, keepingObjects: try negations(of: shape)) }
        return other
    }

    private func intersection(_ set: ValueSet, keepingArrays shapes: [ArrayShape]) throws(GrammarError) -> ValueSet {
        var (own, other) = (everything, everything)
        (own.arrays, other.arrays) = (set.arrays, shapes)
        var result = set
        result.arrays = try intersection(own, other).arrays
        return result
    }

    private func intersection(_ set: ValueSet, keepingObjects shapes: [ObjectShape]) throws(GrammarError) -> ValueSet {
        var (own, other) = (everything, everything)
        (own.objects, other.objects) = (set.objects, shapes)
        var result = set
        result.objects = try intersection(own, other).objects
        return result
    }

    // MARK: Texts

    private func intersection(
        _ a: [TextLanguage], _ b: [TextLanguage]
    ) throws(GrammarError) -> [TextLanguage] {
        var result: [TextLanguage] = []
        for left in a {
            for right in b {
                let max = [left.max, right.max].compactMap { $0 }.min()
                let min = Swift.max(left.min, right.min)
                if let max, max < min { continue }
                let own: Int
                if left.automaton == right.automaton || right.automaton == 0 {
                    own = left.automaton
                } else if left.automaton == 0 {
                    own = right.automaton
                } else {
                    own = automaton(try automata[left.automaton].intersection(automata[right.automaton]).minimized())
                }
                if !automata[own].isEmpty { result.append(TextLanguage(automaton: own, min: min, max: max)) }
            }
        }
        return try simplified(result)
    }

    private func complement(_ language: TextLanguage) throws(GrammarError) -> [TextLanguage] {
        var result: [TextLanguage] = []
        let other = automaton(try automata[language.automaton].complement().minimized())
        if !automata[other].isEmpty { result.append(TextLanguage(automaton: other)) }
        if language.min > 0 { result.append(TextLanguage(automaton: 0, max: language.min - 1)) }
        if let max = language.max { result.append(TextLanguage(automaton: 0, min: max + 1)) }
        return result
    }

    private func simplified(_ languages: [TextLanguage]) throws(GrammarError) -> [TextLanguage] {
        if languages.contains(Self.allTexts) { return [Self.allTexts] }
        var result: [TextLanguage] = []
        for language in languages where !result.contains(language) {
            // Those with the same bounds are one.
            if let index = result.firstIndex(where: { $0.min == language.min && $0.max == language.max }) {
                let own = try automata[result[index].automaton].union(automata[language.automaton])
                result[index].automaton = automaton(own.isUniversal ? .all : own)
            } else {
                result.append(language)
            }
        }
        return result
    }
}

// Shapes of arrays and objects, combined and negated.

extension FormulaTable {
    func intersection(_ a: CountBounds, _ b: CountBounds) -> CountBounds? {
        let bounds = CountBounds(min: max(a.min, b.min), max: [a.max, b.max].compactMap { $0 }.min())
        return bounds.max.map { $0 < bounds.min } ?? false ? nil : bounds
    }

    /// What is both; nil where the bounds leave nothing.
    func intersection(_ a: ArrayShape, _ b: ArrayShape) throws(GrammarError) -> ArrayShape? {
        try spend(1 + a.prefix.count + b.prefix.count)
        guard let length = intersection(a.length, b.length) else { return nil }
        var shape = ArrayShape(rest: try and([a.rest, b.rest]), length: length)
        for index in 0..<max(a.prefix.count, b.prefix.count) {
            shape.prefix.append(try and([a.item(index), b.item(index)]))
        }
        shape.counts = a.counts + b.counts.filter { !a.counts.contains($0) }
        shape.isUnique = a.isUnique || b.isUnique
        return shape
    }

    func intersection(_ a: ObjectShape, _ b: ObjectShape) throws(GrammarError) -> ObjectShape? {
        try spend(1 + a.members.count + b.members.count)
        guard let size = intersection(a.size, b.size) else { return nil }
        var shape = a
        shape.size = size
        let lists = 1 + (a.members.compactMap(\.list).max() ?? -1)
        for member in b.members {
            if let index = shape.members.firstIndex(where: { $0.name == member.name }) {
                shape.members[index].formula = try and([shape.members[index].formula, member.formula])
                shape.members[index].isRequired = shape.members[index].isRequired || member.isRequired
            } else {
                var other = member
                other.list = member.list.map { $0 + lists }
                shape.members.append(other)
            }
        }
        if shape.members.contains(where: { $0.isRequired && $0.formula == Self.none }) { return nil }
        shape.rules += b.rules.filter { !a.rules.contains($0) }
        shape.counts += b.counts.filter { !a.counts.contains($0) }
        return shape
    }

    /// The arrays that a shape is not, as alternatives.
    func negations(of shape: ArrayShape) throws(GrammarError) -> [ArrayShape] {
        if shape.isUnique {
            throw GrammarError(.unsupported, "\"uniqueItems\" under \"not\" or in \"oneOf\" is not enforced")
        }
        var result: [ArrayShape] = []
        for (index, formula) in shape.prefix.enumerated() where formula != Self.all {
            var other = ArrayShape(rest: Self.all, length: .init(min: index + 1, max: nil))
            other.prefix = Array(repeating: Self.all, count: index) + [try not(formula)]
            result.append(other)
        }
        if shape.rest != Self.all {
            let count = ArrayShape.Count(
                formula: try not(shape.rest), from: shape.prefix.count, bounds: .init(min: 1, max: nil))
            result.append(ArrayShape(rest: Self.all, counts: [count]))
        }
        result += outside(shape.length).map { ArrayShape(rest: Self.all, length: $0) }
        for count in shape.counts {
            for bounds in outside(count.bounds) {
                var other = count
                other.bounds = bounds
                result.append(ArrayShape(rest: Self.all, counts: [other]))
            }
        }
        return result
    }

    /// The objects that a shape is not, as alternatives.
    func negations(of shape: ObjectShape) throws(GrammarError) -> [ObjectShape] {
        var result: [ObjectShape] = []
        for member in shape.members {
            if member.formula != Self.all {
                result.append(
                    ObjectShape(members: [
                        .init(name: member.name, formula: try not(member.formula), isRequired: true)
                    ]))
            }
            if member.isRequired {
                result.append(ObjectShape(members: [.init(name: member.name, formula: Self.none)]))
            }
        }
        for rule in shape.rules where rule.formula != Self.all {
            result.append(
                ObjectShape(
                    members: rule.names.excluded.map { .init(name: $0, formula: Self.all) },
                    counts: [
                        .init(names: rule.names, formula: try not(rule.formula), bounds: .init(min: 1, max: nil))
                    ]))
        }
        for count in shape.counts {
            for bounds in outside(count.bounds) {
                result.append(
                    ObjectShape(
                        members: count.names.excluded.map { .init(name: $0, formula: Self.all) },
                        counts: [.init(names: count.names, formula: count.formula, bounds: bounds)]))
            }
        }
        result += outside(shape.size).map { ObjectShape(size: $0) }
        return result
    }

    private func outside(_ bounds: CountBounds) -> [CountBounds] {
        var result: [CountBounds] = []
        if bounds.min > 0 { result.append(CountBounds(min: 0, max: bounds.min - 1)) }
        if let max = bounds.max { result.append(CountBounds(min: max + 1, max: nil)) }
        return result
    }
}

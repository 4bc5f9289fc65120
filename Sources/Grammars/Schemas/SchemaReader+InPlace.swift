import JSON

// Keywords that apply subschemas to the value itself, and those that ask what these have looked at.

extension SchemaReader {
    func applicators(_ object: JSONObject) throws(GrammarError) -> [Int] {
        var parts: [Int] = []
        for reference in try references(object) { parts.append(try subschema(reference)) }
        for pointer in try list(object, "allOf") { parts.append(try subschema(pointer)) }
        if object["anyOf"] != nil {
            parts.append(
                try table.or(try list(object, "anyOf").map { pointer throws(GrammarError) in try subschema(pointer) }))
        }
        if object["oneOf"] != nil {
            let own = try list(object, "oneOf").map { pointer throws(GrammarError) in try subschema(pointer) }
            parts.append(own.count == 1 ? own[0] : try table.exactlyOne(own))
        }
        if object["not"] != nil { parts.append(try table.not(try subschema(pointer("not")))) }
        if object["if"] != nil, object["then"] != nil || object["else"] != nil {
            let condition = try subschema(pointer("if"))
            let (then, other) = try consequences(object)
            parts.append(
                try table.or([
                    try table.and([condition, then]), try table.and([try table.not(condition), other]),
                ]))
        }
        for (name, place) in try dependentSchemas(object) {
            parts.append(
                try table.or([
                    try table.object(.without(name)),
                    try table.and([try table.object(.with(name)), try subschema(place)]),
                ]))
        }
        return parts
    }

    private func consequences(_ object: JSONObject) throws(GrammarError) -> (Int, Int) {
        (
            object["then"] == nil ? FormulaTable.all : try subschema(pointer("then")),
            object["else"] == nil ? FormulaTable.all : try subschema(pointer("else"))
        )
    }

    private func references(_ object: JSONObject) throws(GrammarError) -> [String] {
        var all: [String] = []
        for keyword in ["$ref", "$dynamicRef"] {
            guard let value = object[keyword] else { continue }
            guard let text = value.text else { throw fault(.malformed, keyword, "is \(value.kind); it must be a text") }
            all.append(
                keyword == "$ref"
                    ? try document.target(of: text, from: place)
                    : try document.dynamicTarget(of: text, from: place, scope: scope))
        }
        return all
    }

    private func dependentSchemas(_ object: JSONObject) throws(GrammarError) -> [(name: String, pointer: String)] {
        var all = try map(object, "dependentSchemas").map { ($0.key, pointer("dependentSchemas", $0.key)) }
        for (name, value) in try map(object, "dependencies") {
            if case .array = value { continue }
            all.append((name, pointer("dependencies", name)))
        }
        return all
    }

    // MARK: What has been evaluated

    /// One way in which a value satisfies a schema, and what of it the schema's keywords have then looked at.
    struct Branch {
        var formula: Int
        var evaluated = Evaluated()
    }

    struct Evaluated {
        var names: [[Unicode.Scalar]] = []
        var patterns: [Int] = []
        var allNames = false
        /// How many items from the first on.
        var items = 0
        var allItems = false
        /// Formulas of items that `contains` has found.
        var found: [Int] = []

        func union(_ other: Evaluated) -> Evaluated {
            Evaluated(
                names: names + other.names.filter { !names.contains($0) }, patterns: patterns + other.patterns,
                allNames: allNames || other.allNames, items: max(items, other.items),
                allItems: allItems || other.allItems, found: found + other.found)
        }
    }

    private static let branchLimit = 256

    /// The ways in which a value satisfies this schema.
    func evaluatedBranches() throws(GrammarError) -> [Branch] {
        guard let object = try members() else {
            if case .bool(true) = place.value { return [Branch(formula: FormulaTable.all)] }
            return []
        }
        var branches = [Branch(formula: try own(object), evaluated: try evaluated(object))]
        for reference in try references(object) { try combine(&branches, try inner(reference)) }
        for pointer in try list(object, "allOf") { try combine(&branches, try inner(pointer)) }
        try combineAnyOf(object, &branches)
        try combineOneOf(object, &branches)
        if object["not"] != nil {
            try combine(&branches, [Branch(formula: try table.not(try subschema(pointer("not"))))])
        }
        if object["if"] != nil {
            var ways = try inner(pointer("if"))
            if object["then"] != nil { try combine(&ways, try inner(pointer("then"))) }
            var others = [Branch(formula: try table.not(try subschema(pointer("if"))))]
            if object["else"] != nil { try combine(&others, try inner(pointer("else"))) }
            try combine(&branches, ways + others)
        }
        for (name, place) in try dependentSchemas(object) {
            var ways = [Branch(formula: try table.object(.with(name)))]
            try combine(&ways, try inner(place))
            try combine(&branches, ways + [Branch(formula: try table.object(.without(name)))])
        }
        return try branches.map { branch throws(GrammarError) in try restrict(branch, object) }
    }

    private func inner(_ pointer: String) throws(GrammarError) -> [Branch] {
        guard let place = document.places[pointer] else { return [] }
        guard scope.count < 64, pointer.utf8.count < 10_000, depth < 64 else {
            throw GrammarError(
                .tooComplex, at: self.place.pointer, "references are nested too deeply below \"unevaluated…\"")
        }
        var reader = SchemaReader(document: document, table: table, place: place, scope: scope)
        reader.depth = depth + 1
        return try reader.evaluatedBranches()
    }

    private func combine(_ branches: inout [Branch], _ others: [Branch]) throws(GrammarError) {
        var all: [Branch] = []
        for branch in branches {
            for other in others {
                let formula = try table.and([branch.formula, other.formula])
                if formula != FormulaTable.none {
                    all.append(Branch(formula: formula, evaluated: branch.evaluated.union(other.evaluated)))
                }
            }
        }
        guard all.count <= Self.branchLimit else {
            throw fault(.tooComplex, "unevaluated…", "stands beside more than \(Self.branchLimit) combinations")
        }
        branches = all
    }

    /// Each that holds counts: so every choice of those that hold is a way of its own.
    private func combineAnyOf(_ object: JSONObject, _ branches: inout [Branch]) throws(GrammarError) {
        let pointers = try list(object, "anyOf")
        if pointers.isEmpty { return }
        var ways = [(branch: Branch(formula: FormulaTable.all), holds: false)]
        for pointer in pointers {
            let own = try inner(pointer)
            let negation = try table.not(try subschema(pointer))
            var next: [(branch: Branch, holds: Bool)] = []
            for way in ways {
                var with = [way.branch]
                try combine(&with, own)
                next += with.map { ($0, true) }
                var without = [way.branch]
                try combine(&without, [Branch(formula: negation)])
                next += without.map { ($0, way.holds) }
            }
            ways = next
        }
        try combine(&branches, ways.filter(\.holds).map(\.branch))
    }

    private func combineOneOf(_ object: JSONObject, _ branches: inout [Branch]) throws(GrammarError) {
        let pointers = try list(object, "oneOf")
        if pointers.isEmpty { return }
        var ways: [Branch] = []
        for pointer in pointers {
            var own = try inner(pointer)
            let others = try pointers.filter { $0 != pointer }.map { other throws(GrammarError) in
                try table.not(try subschema(other))
            }
            try combine(&own, [Branch(formula: try table.and(others))])
            ways += own
        }
        try combine(&branches, ways)
    }

    /// What this schema's own keywords look at.
    private func evaluated(_ object: JSONObject) throws(GrammarError) -> Evaluated {
        var evaluated = Evaluated()
        evaluated.names = try map(object, "properties").map { Array($0.key.unicodeScalars) }
        for (pattern, _) in try map(object, "patternProperties") {
            evaluated.patterns.append(try automaton(pattern, "patternProperties"))
        }
        evaluated.allNames = object["additionalProperties"] != nil
        evaluated.items = try prefix(object).count
        evaluated.allItems = try rest(object) != nil
        if object["contains"] != nil { evaluated.found = [try subschema(pointer("contains"))] }
        return evaluated
    }

    private func restrict(_ branch: Branch, _ object: JSONObject) throws(GrammarError) -> Branch {
        var branch = branch
        if object["unevaluatedProperties"] != nil {
            let formula = try subschema(pointer("unevaluatedProperties"))
            if !branch.evaluated.allNames {
                let names = NameSet(excluded: branch.evaluated.names, excludedPatterns: branch.evaluated.patterns)
                var shape = ObjectShape(rules: [.init(names: names, formula: formula)])
                shape.members = branch.evaluated.names.map { .init(name: $0, formula: FormulaTable.all) }
                branch.formula = try table.and([branch.formula, try table.object(shape)])
            }
            branch.evaluated.allNames = true
        }
        if object["unevaluatedItems"] != nil {
            let formula = try subschema(pointer("unevaluatedItems"))
            if !branch.evaluated.allItems {
                let shape = ArrayShape(
                    prefix: Array(repeating: FormulaTable.all, count: branch.evaluated.items),
                    rest: try table.or(branch.evaluated.found + [formula]))
                branch.formula = try table.and([branch.formula, try table.array(shape)])
            }
            branch.evaluated.allItems = true
        }
        return branch
    }
}

extension ObjectShape {
    /// Objects that have a member.
    static func with(_ name: String) -> ObjectShape {
        var shape = ObjectShape()
        shape.require(Array(name.unicodeScalars))
        return shape
    }
}

import JSON

/// Makes a formula of one subschema. A keyword that is not enforced is refused by its name.
struct SchemaReader {
    let document: SchemaDocument
    let table: FormulaTable
    let place: SchemaDocument.Place
    /// References below `unevaluated…` that led here.
    var depth = 0
    /// The resources that the way here led through.
    let scope: [String]

    func formula() throws(GrammarError) -> Int {
        guard let object = try members() else { return isTrue ? FormulaTable.all : FormulaTable.none }
        let hasUnevaluated = object["unevaluatedProperties"] != nil || object["unevaluatedItems"] != nil
        if hasUnevaluated { return try table.or(try evaluatedBranches().map(\.formula)) }
        return try table.and([try own(object)] + (try applicators(object)))
    }

    private var isTrue: Bool { if case .bool(true) = place.value { true } else { false } }

    /// - Returns: nil for `true` and `false`.
    func members() throws(GrammarError) -> JSONObject? {
        switch place.value {
        case .bool: return nil
        case .object(let object):
            for (key, _) in object.members where Keyword(rawValue: key) == nil && !key.hasPrefix("x-") {
                throw fault(.unsupported, key, "is not a keyword that is enforced here; take it out")
            }
            return object
        default: throw GrammarError(.malformed, at: place.pointer, "a schema is an object, true or false")
        }
    }

    func fault(_ code: GrammarError.Code, _ keyword: String, _ what: String) -> GrammarError {
        GrammarError(code, at: place.pointer, "\"\(keyword.prefix(100))\" \(what)")
    }

    /// The formula of a subschema at a pointer.
    func subschema(_ pointer: String) throws(GrammarError) -> Int {
        if case .bool(let flag)? = document.places[pointer]?.value {
            return flag ? FormulaTable.all : FormulaTable.none
        }
        return try table.schema(document.number(of: pointer, scope: scope))
    }

    func subschema(_ keyword: String, _ key: String) throws(GrammarError) -> Int {
        try subschema(pointer(keyword, key))
    }

    func pointer(_ keyword: String, _ key: String? = nil) -> String {
        place.pointer + "/" + keyword + (key.map { "/" + SchemaDocument.escaped($0) } ?? "")
    }

    /// The subschemas of a list.
    func list(_ object: JSONObject, _ keyword: String) throws(GrammarError) -> [String] {
        guard let value = object[keyword] else { return [] }
        guard let elements = value.elements, !elements.isEmpty else {
            throw fault(.malformed, keyword, "is \(value.kind); it must be a list of schemas that is not empty")
        }
        return elements.indices.map { pointer(keyword, "\($0)") }
    }

    func map(_ object: JSONObject, _ keyword: String) throws(GrammarError) -> [(key: String, value: JSONValue)] {
        guard let value = object[keyword] else { return [] }
        guard case .object(let map) = value else {
            throw fault(.malformed, keyword, "is \(value.kind); it must be an object")
        }
        return map.members
    }

    /// A whole number that is not negative.
    func count(_ object: JSONObject, _ keyword: String) throws(GrammarError) -> Int? {
        guard let value = object[keyword] else { return nil }
        guard case .number(let number) = value, let count = number.integer(Int.self), count >= 0 else {
            throw fault(.malformed, keyword, "is \(value.kind); it must be a whole number from 0 on")
        }
        guard count <= 1_000_000 else { throw fault(.tooComplex, keyword, "is \(count), which is more than 1000000") }
        return count
    }

    func decimal(_ object: JSONObject, _ keyword: String) throws(GrammarError) -> Decimal? {
        guard let value = object[keyword] else { return nil }
        guard case .number(let number) = value, let decimal = Decimal(number) else {
            throw fault(.malformed, keyword, "is \(value.kind); it must be a number")
        }
        return decimal
    }

    func automaton(_ pattern: String, _ keyword: String) throws(GrammarError) -> Int {
        do throws(GrammarError) {
            return try table.automaton(of: PatternParser.parse(pattern), isWhole: false)
        } catch {
            throw fault(error.code, keyword, "is \"\(pattern.prefix(200))\": \(error.message)")
        }
    }

    // MARK: What is asked of the value itself

    /// Everything but the keywords that apply subschemas in place, and `unevaluated…`.
    func own(_ object: JSONObject) throws(GrammarError) -> Int {
        try checkDialect(object)
        var parts: [Int] = []
        if let value = object["type"] { parts.append(try type(value)) }
        if let value = object["enum"] {
            guard let elements = value.elements else {
                throw fault(.malformed, "enum", "is \(value.kind); it must be a list")
            }
            parts.append(
                try table.constants(try elements.map { element throws(GrammarError) in try constant(element, "enum") }))
        }
        if let value = object["const"] { parts.append(try table.constants([try constant(value, "const")])) }
        try addNumbers(object, to: &parts)
        try addTexts(object, to: &parts)
        try addArrays(object, to: &parts)
        try addObjects(object, to: &parts)
        return try table.and(parts)
    }

    private func checkDialect(_ object: JSONObject) throws(GrammarError) {
        guard let value = object["$schema"] else { return }
        guard let text = value.text else { throw fault(.malformed, "$schema", "is \(value.kind); it must be a text") }
        let known = [
            "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema",
            "http://json-schema.org/draft-07/schema", "http://json-schema.org/draft-06/schema",
            "http://json-schema.org/draft-04/schema", "http://json-schema.org/schema",
            "https://json-schema.org/draft-07/schema",
        ]
        guard known.contains(text.hasSuffix("#") ? String(text.dropLast()) : text) else {
            throw fault(.unsupported, "$schema", "is \"\(text.prefix(100))\", a dialect that is not known")
        }
    }

    private func constant(_ value: JSONValue, _ keyword: String) throws(GrammarError) -> Constant {
        guard let constant = Constant(value) else {
            throw fault(.tooComplex, keyword, "holds a number with an exponent beyond 100000")
        }
        return constant
    }

    private func type(_ value: JSONValue) throws(GrammarError) -> Int {
        let names = value.elements?.map(\.text) ?? [value.text]
        var alternatives: [Int] = []
        for name in names {
            switch name {
            case "null": alternatives.append(try table.types(.null))
            case "boolean": alternatives.append(try table.types(.boolean))
            case "number": alternatives.append(try table.types(.number))
            case "string": alternatives.append(try table.types(.string))
            case "array": alternatives.append(try table.types(.array))
            case "object": alternatives.append(try table.types(.object))
            case "integer": alternatives.append(try table.and([try table.types(.number), try table.number(.integer)]))
            default:
                throw fault(
                    .malformed, "type",
                    "is \(name.map { "\"\($0.prefix(40))\"" } ?? value.kind); it must be null, boolean, integer, number, string, array or object"
                )
            }
        }
        return try table.or(alternatives)
    }

    private func addNumbers(_ object: JSONObject, to parts: inout [Int]) throws(GrammarError) {
        func add(_ predicate: NumberPredicate) throws(GrammarError) { parts.append(try table.number(predicate)) }
        let (low, high) = (try decimal(object, "minimum"), try decimal(object, "maximum"))
        if let low { try add(.not(.below(low, orEqual: false))) }
        if let high { try add(.below(high, orEqual: true)) }
        // Draft 4 has true and false, beside the bounds.
        if case .bool(let flag)? = object["exclusiveMinimum"] {
            if flag, let low { try add(.not(.below(low, orEqual: true))) }
        } else if let bound = try decimal(object, "exclusiveMinimum") {
            try add(.not(.below(bound, orEqual: true)))
        }
        if case .bool(let flag)? = object["exclusiveMaximum"] {
            if flag, let high { try add(.below(high, orEqual: false)) }
        } else if let bound = try decimal(object, "exclusiveMaximum") {
            try add(.below(bound, orEqual: false))
        }
        if let step = try decimal(object, "multipleOf") {
            guard !step.isZero, !step.isNegative else { throw fault(.malformed, "multipleOf", "must be above 0") }
            try add(.multiple(step))
        }
    }

    private func addTexts(_ object: JSONObject, to parts: inout [Int]) throws(GrammarError) {
        let (min, max) = (try count(object, "minLength") ?? 0, try count(object, "maxLength"))
        if min > 0 || max != nil { parts.append(try table.text(TextLanguage(automaton: 0, min: min, max: max))) }
        if let value = object["pattern"] {
            guard let pattern = value.text else {
                throw fault(.malformed, "pattern", "is \(value.kind); it must be a text")
            }
            parts.append(try table.text(TextLanguage(automaton: try automaton(pattern, "pattern"))))
        }
        guard let value = object["format"] else { return }
        guard let name = value.text else { throw fault(.malformed, "format", "is \(value.kind); it must be a text") }
        if let bounds = TextFormats.numbers[name] {
            if let bounds, let low = Decimal(JSONNumber(bounds.low)), let high = Decimal(JSONNumber(bounds.high)) {
                parts.append(
                    try table.number(
                        .and([.not(.below(low, orEqual: false)), .below(high, orEqual: true)])))
            }
        } else if let language = try table.format(name) {
            parts.append(try table.text(language))
        } else {
            throw fault(.unsupported, "format", "is \"\(name.prefix(60))\", which is not enforced here; take it out")
        }
    }

    private func addArrays(_ object: JSONObject, to parts: inout [Int]) throws(GrammarError) {
        var shape = ArrayShape(rest: FormulaTable.all)
        shape.prefix = try prefix(object)
        if let rest = try rest(object) { shape.rest = rest }
        if !shape.prefix.isEmpty || shape.rest != FormulaTable.all { parts.append(try table.array(shape)) }
        let (min, max) = (try count(object, "minItems") ?? 0, try count(object, "maxItems"))
        if min > 0 || max != nil {
            if let max, max < min { throw fault(.unsatisfiable, "maxItems", "is \(max), less than \"minItems\"") }
            parts.append(try table.array(ArrayShape(rest: FormulaTable.all, length: .init(min: min, max: max))))
        }
        if object["contains"] != nil {
            let bounds = CountBounds(
                min: try count(object, "minContains") ?? 1, max: try count(object, "maxContains"))
            if let max = bounds.max, max < bounds.min {
                parts.append(try table.not(try table.types(.array)))
            } else if bounds.min > 0 || bounds.max != nil {
                let count = ArrayShape.Count(formula: try subschema(pointer("contains")), from: 0, bounds: bounds)
                parts.append(try table.array(ArrayShape(rest: FormulaTable.all, counts: [count])))
            }
        }
        if let value = object["uniqueItems"] {
            guard case .bool(let flag) = value else {
                throw fault(.malformed, "uniqueItems", "is \(value.kind); it must be true or false")
            }
            if flag { parts.append(try table.array(ArrayShape(rest: FormulaTable.all, isUnique: true))) }
        }
    }

    /// The first items' formulas: `prefixItems`, or a list of `items` as older drafts have it.
    func prefix(_ object: JSONObject) throws(GrammarError) -> [Int] {
        let keyword = if case .array? = object["items"] { "items" } else { "prefixItems" }
        guard object[keyword]?.elements?.isEmpty != true else { return [] }
        return try list(object, keyword).map { pointer throws(GrammarError) in try subschema(pointer) }
    }

    /// The formula of the items behind them; nil where nothing is said.
    func rest(_ object: JSONObject) throws(GrammarError) -> Int? {
        guard let items = object["items"] else { return nil }
        if case .array = items {
            return object["additionalItems"] == nil ? nil : try subschema(pointer("additionalItems"))
        }
        return try subschema(pointer("items"))
    }

    private func addObjects(_ object: JSONObject, to parts: inout [Int]) throws(GrammarError) {
        var shape = ObjectShape()
        for (name, _) in try map(object, "properties") {
            shape.members.append(
                .init(name: Array(name.unicodeScalars), formula: try subschema("properties", name)))
        }
        let declared = shape.members.map(\.name)
        var patterns: [Int] = []
        for (pattern, _) in try map(object, "patternProperties") {
            let automaton = try automaton(pattern, "patternProperties")
            patterns.append(automaton)
            shape.rules.append(
                .init(names: NameSet(pattern: automaton), formula: try subschema("patternProperties", pattern)))
        }
        if object["additionalProperties"] != nil {
            let formula = try subschema(pointer("additionalProperties"))
            if formula != FormulaTable.all {
                shape.rules.append(
                    .init(names: NameSet(excluded: declared, excludedPatterns: patterns), formula: formula))
            }
        }
        if object["propertyNames"] != nil, let names = try names(ofFormula: try subschema(pointer("propertyNames"))) {
            shape.rules.append(.init(names: NameSet(excludedPatterns: [names]), formula: FormulaTable.none))
        }
        for name in try names(object, "required") { shape.require(name) }
        // Those that must come are written in the schema's order; the others stand where the writer has them.
        for index in declared.indices where shape.members[index].isRequired { shape.members[index].list = 0 }
        let (min, max) = (try count(object, "minProperties") ?? 0, try count(object, "maxProperties"))
        if let max, max < min { throw fault(.unsatisfiable, "maxProperties", "is \(max), less than \"minProperties\"") }
        shape.size = .init(min: min, max: max)
        if shape != ObjectShape() { parts.append(try table.object(shape)) }
        for (name, value) in try map(object, "dependentRequired") { parts.append(try dependent(name, on: value)) }
        for (name, value) in try map(object, "dependencies") {
            if case .array = value { parts.append(try dependent(name, on: value)) }
        }
    }

    private func dependent(_ name: String, on value: JSONValue) throws(GrammarError) -> Int {
        var shape = ObjectShape()
        shape.require(Array(name.unicodeScalars))
        guard let names = value.elements?.map(\.text), !names.contains(nil) else {
            throw fault(.malformed, "dependentRequired", "holds \(value.kind); it must hold lists of names")
        }
        for other in names { shape.require(Array((other ?? "").unicodeScalars)) }
        return try table.or([try table.object(shape), try table.object(.without(name))])
    }

    private func names(_ object: JSONObject, _ keyword: String) throws(GrammarError) -> [[Unicode.Scalar]] {
        guard let value = object[keyword] else { return [] }
        // Draft 4's `required` of one property.
        if case .bool = value { throw fault(.malformed, keyword, "is \(value.kind); it must be a list of names") }
        guard let names = value.elements?.map(\.text), !names.contains(nil) else {
            throw fault(.malformed, keyword, "is \(value.kind); it must be a list of names")
        }
        return names.compactMap { $0.map { Array($0.unicodeScalars) } }
    }

    /// The automaton of the texts that a formula allows; nil for all.
    private func names(ofFormula formula: Int) throws(GrammarError) -> Int? {
        var all = ScalarAutomaton.none
        for language in try table.values(of: formula).texts {
            if language == FormulaTable.allTexts { return nil }
            var own = table.automata[language.automaton]
            if language.isBounded { own = try own.intersection(.lengths(language.min, language.max)) }
            all = try all.union(own)
        }
        return table.automaton(all)
    }
}

extension ObjectShape {
    mutating func require(_ name: [Unicode.Scalar]) {
        if let index = members.firstIndex(where: { $0.name == name }) {
            members[index].isRequired = true
        } else {
            members.append(.init(name: name, formula: FormulaTable.all, isRequired: true))
        }
    }

    /// Objects that do not have a member.
    static func without(_ name: String) -> ObjectShape {
        ObjectShape(members: [.init(name: Array(name.unicodeScalars), formula: FormulaTable.none)])
    }
}

extension ScalarAutomaton {
    /// All texts of some lengths.
    static func lengths(_ min: Int, _ max: Int?) throws(GrammarError) -> ScalarAutomaton {
        guard Swift.max(min, max ?? 0) < stateLimit else { throw tooManyStates }
        return try Pattern.repeated(.scalars(.all), min: min, max: max).automaton(isWhole: true)
    }
}

extension FormulaTable {
    /// The texts of a pattern, at the cost of the states that are looked at for them.
    func automaton(of pattern: Pattern, isWhole: Bool) throws(GrammarError) -> Int {
        var work = PatternCompiler.workLimit
        let own = try pattern.automaton(isWhole: isWhole, work: &work)
        try spend(PatternCompiler.workLimit - work)
        return automaton(own)
    }

    /// The texts of a format; nil where it is not known.
    func format(_ name: String) throws(GrammarError) -> TextLanguage? {
        if let known = formats[name] { return known }
        guard let pattern = TextFormats.pattern(name) else { return nil }
        var language = TextLanguage(
            automaton: try automaton(of: PatternParser.parse(pattern), isWhole: true))
        if name.hasSuffix("hostname") { language.max = 253 }
        formats[name] = language
        return language
    }
}

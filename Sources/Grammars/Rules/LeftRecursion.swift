/// Rules that begin with themselves: following them would never come to a first character. They are written anew.
///
/// Rules that begin with each other are a linear system: A = N_A | ⋃ B R_AB, where N_A begins with none of them and R_AB is what
/// follows a leading B. What A describes is a path from some N_B along the R to A, so that A = ⋃ N_B T_BA with the tails
/// T_BA = [ε where B is A] | ⋃ R_CB T_CA, which begin with none of the rules (Arden, 1961; Moore, 2000, for the leading parts).
struct LeftRecursion {
    private var rules: [String: GrammarExpression]
    private var nullable = Set<String>()
    /// The rules that describe what others do but the empty text.
    private var unwritten: [String] = []

    private static let sizeLimit = 20_000

    /// The same texts by rules of which none begins with itself.
    ///
    /// - Throws: `GrammarError.tooComplex`.
    static func removed(from grammar: Grammar) throws(GrammarError) -> Grammar {
        var own = LeftRecursion(rules: grammar.rules)
        own.findNullable()
        guard !own.circles().isEmpty else { return grammar }
        // Rules of a circle that may be empty get one beside them that is not.
        for name in own.circles().joined() where own.nullable.contains(name) {
            let inner = own.filled(.rule(name))
            try own.writeFilled()
            own.rules[name] = .optional(inner)
        }
        for circle in own.circles() { try own.rewrite(circle) }
        return Grammar(grammar.start, rules: own.rules)
    }

    private init(rules: [String: GrammarExpression]) { self.rules = rules }

    // MARK: Which rules begin with themselves

    private mutating func findNullable() {
        var grew = true
        while grew {
            grew = false
            for (name, expression) in rules where !nullable.contains(name) && isNullable(expression) {
                nullable.insert(name)
                grew = true
            }
        }
    }

    private func isNullable(_ expression: GrammarExpression) -> Bool {
        switch expression {
        case .text(let text): text.isEmpty
        case .character, .terminal, .value, .through: false
        case .pattern, .free: true
        case .sequence(let parts): parts.allSatisfy(isNullable)
        case .choice(let parts): parts.contains(where: isNullable)
        case .repeated(let part, let min, _): min == 0 || isNullable(part)
        case .rule(let name): nullable.contains(name)
        }
    }

    /// The rules that may be called before a character comes.
    private func first(_ expression: GrammarExpression) -> Set<String> {
        switch expression {
        case .text, .character, .terminal, .value, .through, .pattern, .free: return []
        case .sequence(let parts):
            var names = Set<String>()
            for part in parts {
                names.formUnion(first(part))
                if !isNullable(part) { break }
            }
            return names
        case .choice(let parts): return parts.reduce(into: []) { $0.formUnion(first($1)) }
        case .repeated(let part, _, _): return first(part)
        case .rule(let name): return [name]
        }
    }

    /// Rules that begin with each other, or with themselves (Tarjan, 1972), in the order of their names.
    private func circles() -> [[String]] {
        var (numbers, lows, isOpen) = ([String: Int](), [String: Int](), Set<String>())
        var (stack, found) = ([String](), [[String]]())
        let leading = rules.mapValues { first($0).filter { rules[$0] != nil }.sorted() }
        for start in rules.keys.sorted() where numbers[start] == nil {
            var path: [(name: String, next: Int)] = []
            func enter(_ name: String) {
                (numbers[name], lows[name]) = (numbers.count, numbers.count)
                stack.append(name)
                isOpen.insert(name)
                path.append((name, 0))
            }
            enter(start)
            while let (name, next) = path.last {
                let targets = leading[name] ?? []
                if next < targets.count {
                    path[path.count - 1].next += 1
                    let target = targets[next]
                    if numbers[target] == nil {
                        enter(target)
                    } else if isOpen.contains(target) {
                        lows[name] = min(lows[name] ?? 0, numbers[target] ?? 0)
                    }
                    continue
                }
                path.removeLast()
                if let caller = path.last?.name { lows[caller] = min(lows[caller] ?? 0, lows[name] ?? 0) }
                guard lows[name] == numbers[name], let place = stack.lastIndex(of: name) else { continue }
                let members = stack[place...].sorted()
                stack.removeLast(stack.count - place)
                isOpen.subtract(members)
                if members.count > 1 || targets.contains(name) { found.append(members) }
            }
        }
        return found
    }

    // MARK: The same without the empty text

    private static func filledName(_ name: String) -> String { name + " filled" }

    /// What an expression describes but the empty text.
    private mutating func filled(_ expression: GrammarExpression) -> GrammarExpression {
        guard isNullable(expression) else { return expression }
        switch expression {
        case .text, .character, .terminal, .value, .through: return .choice([])
        // Anything: what of it is empty asks nothing of what follows.
        case .free: return expression
        case .pattern(let source): return .pattern("(?=[^])(?:\(source))")
        case .choice(let parts): return .choice(parts.map { filled($0) })
        case .sequence(let parts):
            return .choice(parts.indices.map { .sequence([filled(parts[$0])] + parts[($0 + 1)...]) })
        case .repeated(let part, _, let max):
            if max == 0 { return .choice([]) }
            return .sequence([filled(part), .repeated(part, min: 0, max: max.map { $0 - 1 })])
        case .rule(let name):
            let own = Self.filledName(name)
            if rules[own] == nil {
                rules[own] = .choice([])
                unwritten.append(name)
            }
            return .rule(own)
        }
    }

    private mutating func writeFilled() throws(GrammarError) {
        while let name = unwritten.popLast() {
            rules[Self.filledName(name)] = filled(rules[name] ?? .empty)
            try checkSize()
        }
    }

    private func checkSize() throws(GrammarError) {
        guard rules.count <= Self.sizeLimit else {
            throw GrammarError(.tooComplex, "too many rules of the grammar begin with each other")
        }
    }

    // MARK: Rules of one circle

    private struct Beginnings {
        /// What begins with none of the rules.
        var others: [GrammarExpression] = []
        /// Rules that it begins with, and what follows.
        var calls: [(name: String, rest: GrammarExpression)] = []

        func followed(by rest: [GrammarExpression]) -> Beginnings {
            Beginnings(
                others: others.map { .sequence([$0] + rest) }, calls: calls.map { ($0, .sequence([$1] + rest)) })
        }

        static func + (a: Beginnings, b: Beginnings) -> Beginnings {
            Beginnings(others: a.others + b.others, calls: a.calls + b.calls)
        }
    }

    private mutating func beginnings(_ expression: GrammarExpression, _ circle: Set<String>) -> Beginnings {
        if first(expression).isDisjoint(with: circle) { return Beginnings(others: [expression]) }
        switch expression {
        case .rule(let name): return Beginnings(calls: [(name, .empty)])
        case .choice(let parts): return parts.reduce(Beginnings()) { $0 + beginnings($1, circle) }
        case .sequence(let parts):
            guard let first = parts.first else { return Beginnings(others: [.empty]) }
            let rest = Array(parts.dropFirst())
            let own = beginnings(filled(first), circle).followed(by: rest)
            return isNullable(first) ? own + beginnings(.sequence(rest), circle) : own
        case .repeated(let part, let min, let max):
            if max == 0 { return Beginnings(others: [.empty]) }
            let isEmpty = min == 0 || isNullable(part)
            let rest = GrammarExpression.repeated(
                part, min: isEmpty ? 0 : min - 1, max: max.map { $0 - 1 })
            let own = beginnings(filled(part), circle).followed(by: [rest])
            return isEmpty ? Beginnings(others: [.empty]) + own : own
        default: return Beginnings(others: [expression])
        }
    }

    private mutating func rewrite(_ circle: [String]) throws(GrammarError) {
        let members = Set(circle)
        var beginnings: [String: Beginnings] = [:]
        for name in circle {
            beginnings[name] = self.beginnings(rules[name] ?? .empty, members)
            try writeFilled()
        }
        func start(_ name: String) -> String { name + " start" }
        func tail(_ from: String, _ to: String) -> String { "\(from) \(to) tail" }
        /// By rule, the rules that begin with it, and what follows it there.
        var uses: [String: [(name: String, rest: GrammarExpression)]] = [:]
        for name in circle {
            for call in beginnings[name]?.calls ?? [] { uses[call.name, default: []].append((name, call.rest)) }
        }
        /// The rule whose tail a rule's is, where it is nothing but one of the other's alternatives.
        func standIn(_ name: String, _ target: String) -> String {
            var name = name
            for _ in circle {
                guard name != target, let own = uses[name], own.count == 1, own[0].rest.isEmpty else { break }
                name = own[0].name
            }
            return name
        }
        for name in circle {
            rules[start(name)] = .choice(beginnings[name]?.others ?? [])
            rules[name] = .choice(
                circle.compactMap { beginnings[$0]?.others.isEmpty == false ? $0 : nil }.map {
                    .sequence([.rule(start($0)), .rule(tail(standIn($0, name), name))])
                })
            for other in circle {
                var parts: [GrammarExpression] = other == name ? [.empty] : []
                for use in uses[other] ?? [] {
                    let next = standIn(use.name, name)
                    // What the rule ends with takes in all that could follow it: A T_AA = A.
                    let isWhole = next == name && use.rest.lastRule == name
                    parts.append(isWhole ? use.rest : .sequence([use.rest, .rule(tail(next, name))]))
                }
                rules[tail(other, name)] = .choice(parts)
            }
            try checkSize()
        }
    }
}

extension GrammarExpression {
    /// Whether nothing is written in it.
    fileprivate var isEmpty: Bool {
        if case .sequence(let parts) = self { return parts.allSatisfy(\.isEmpty) }
        return false
    }

    /// The rule that it ends with, where that follows everything else.
    fileprivate var lastRule: String? {
        switch self {
        case .rule(let name): name
        case .sequence(let parts): parts.last { !$0.isEmpty }?.lastRule
        default: nil
        }
    }
}

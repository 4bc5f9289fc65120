/// The names that a template reads and does not give a value itself: what it is to be rendered with.
///
/// Source: `jinja2.meta.find_undeclared_variables`. A name that only some branches of a condition set counts as read.
struct FreeNames {
    private(set) var names: Set<String> = []

    static func of(_ nodes: [Node]) -> Set<String> {
        var finder = FreeNames()
        var bound: Set<String> = []
        finder.visit(nodes, &bound)
        return finder.names
    }

    private mutating func visit(_ nodes: [Node], _ bound: inout Set<String>) {
        for node in nodes { visit(node.statement, &bound) }
    }

    /// A body in a scope of its own.
    private mutating func visit(_ nodes: [Node], inside bound: Set<String>) {
        var inner = bound
        visit(nodes, &inner)
    }

    private mutating func visit(_ statement: Statement, _ bound: inout Set<String>) {
        switch statement {
        case .text, .breakLoop, .continueLoop: break
        case .output(let expressions): for expression in expressions { visit(expression, bound) }
        case .assign(let target, let value):
            visit(value, bound)
            bind(target, &bound)
        case .assignBlock(let target, let filter, let body):
            if let filter { visit(filter, bound) }
            visit(body, inside: bound)
            bind(target, &bound)
        case .loop(let loop):
            visit(loop.items, bound)
            var inner = bound.union(["loop"])
            bind(loop.target, &inner)
            if let filter = loop.filter { visit(filter, inner) }
            visit(loop.body, inside: inner)
            visit(loop.otherwise, inside: bound)
        case .condition(let branches):
            var sets: [Set<String>] = []
            for branch in branches {
                if let test = branch.test { visit(test, bound) }
                var inner = bound
                visit(branch.body, &inner)
                sets.append(inner)
            }
            guard branches.last?.test == nil, let first = sets.first else { return }
            bound = sets.dropFirst().reduce(first) { $0.intersection($1) }
        case .macro(let macro):
            bound.insert(macro.name)
            visit(macro, bound)
        case .call(let call, let macro):
            visit(call, bound)
            visit(macro, bound)
        case .filterBlock(let filter, let body):
            visit(filter, bound)
            visit(body, inside: bound)
        case .with(let bindings, let body):
            var inner = bound
            for binding in bindings {
                visit(binding.value, bound)
                bind(binding.target, &inner)
            }
            visit(body, inside: inner)
        case .scope(let body): visit(body, inside: bound)
        }
    }

    private mutating func visit(_ macro: Macro, _ bound: Set<String>) {
        var inner = bound.union(["varargs", "kwargs", "caller"])
        for parameter in macro.parameters {
            if let standard = parameter.standard { visit(standard, inner) }
            inner.insert(parameter.name)
        }
        visit(macro.body, inside: inner)
    }

    private mutating func bind(_ target: Target, _ bound: inout Set<String>) {
        switch target {
        case .name(let name): bound.insert(name)
        case .member(let base, _): if !bound.contains(base) { names.insert(base) }
        case .tuple(let targets): for target in targets { bind(target, &bound) }
        }
    }

    private mutating func visit(_ expression: Expression, _ bound: Set<String>) {
        if case .name(let name) = expression, !bound.contains(name) { names.insert(name) }
        for part in expression.parts { visit(part, bound) }
    }
}

extension Expression {
    /// The expressions that it is made of.
    fileprivate var parts: [Expression] {
        switch self {
        case .none, .bool, .integer, .float, .string, .name: []
        case .list(let members), .tuple(let members), .concatenation(let members): members
        case .object(let members): members.flatMap { [$0.key, $0.value] }
        case .attribute(let base, _), .not(let base), .negative(let base), .positive(let base): [base]
        case .item(let left, let right), .and(let left, let right), .or(let left, let right),
            .arithmetic(_, let left, let right):
            [left, right]
        case .slice(let base, let from, let to, let step): [base] + [from, to, step].compactMap { $0 }
        case .call(let callee, let arguments): [callee] + arguments.parts
        case .filter(let base, _, let arguments): (base.map { [$0] } ?? []) + arguments.parts
        case .test(let base, _, let arguments): [base] + arguments.parts
        case .comparison(let first, let links): [first] + links.map(\.operand)
        case .conditional(let value, let test, let other): [value, test] + (other.map { [$0] } ?? [])
        }
    }
}

extension Arguments {
    fileprivate var parts: [Expression] {
        positional + named.map(\.value) + [list, object].compactMap { $0 }
    }
}

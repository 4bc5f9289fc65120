/// Names and what they stand for; a name that is not here is looked for outside.
final class Scope {
    var values: [String: JinjaValue] = [:]
    let parent: Scope?

    init(parent: Scope?) { self.parent = parent }

    func lookup(_ name: String) -> JinjaValue? {
        var scope: Scope? = self
        while let here = scope {
            if let value = here.values[name] { return value }
            scope = here.parent
        }
        return nil
    }
}

/// Runs a template once.
final class Interpreter {
    let budget = Budget()
    /// What is written now: the page, or what a macro or a block captures.
    var output = TrustedText()
    let clock: @Sendable () -> LocalTime
    /// Those that may refer to themselves: they are emptied in the end, since nobody else frees them.
    private var namespaces: [JinjaNamespace] = []
    private var scopes: [Scope] = []

    init(clock: @escaping @Sendable () -> LocalTime) { self.clock = clock }

    enum Flow { case normal, breakLoop, continueLoop }

    /// - Throws: `JinjaError` with the line of the innermost statement at fault.
    func render(_ nodes: [Node], _ variables: [String: JinjaValue]) throws -> TrustedText {
        let root = Scope(parent: nil)
        root.values = variables
        scopes.append(root)
        defer {
            for namespace in namespaces { namespace.members = JinjaObject() }
            for scope in scopes { scope.values = [:] }
        }
        _ = try run(nodes, root)
        return output
    }

    func makeNamespace() -> JinjaNamespace {
        let namespace = JinjaNamespace()
        namespaces.append(namespace)
        return namespace
    }

    func run(_ nodes: [Node], _ scope: Scope) throws -> Flow {
        try budget.enter()
        defer { budget.leave() }
        for node in nodes {
            try budget.charge(1)
            do {
                let flow = try run(node.statement, scope)
                if flow != .normal { return flow }
            } catch var error as JinjaError {
                if error.line == nil { error.line = node.line }
                throw error
            }
        }
        return .normal
    }

    func write(_ text: TrustedText) throws {
        try budget.reserve(text.count)
        guard output.count + text.count <= Budget.textLimit else {
            throw JinjaError(.limit, "the text is longer than \(Budget.textLimit)")
        }
        output.append(text)
    }

    private func run(_ statement: Statement, _ scope: Scope) throws -> Flow {
        switch statement {
        case .text(let scalars): try write(TrustedText(scalars, isTrusted: true))
        case .output(let expressions):
            for expression in expressions { try write(evaluate(expression, scope).asText()) }
        case .assign(let target, let expression): try assign(try evaluate(expression, scope), to: target, scope)
        case .assignBlock(let target, let filter, let body):
            let text = JinjaValue.text(try capture(body, Scope(parent: scope)))
            try assign(try filter.map { try apply($0, to: text, scope) } ?? text, to: target, scope)
        case .loop(let loop): try run(loop, over: evaluate(loop.items, scope), depth: 0, scope)
        case .condition(let branches):
            for branch in branches {
                if let test = branch.test, try !evaluate(test, scope).isTrue { continue }
                return try run(branch.body, scope)
            }
        case .macro(let macro): scope.values[macro.name] = .callable(callable(macro, scope))
        case .call(let call, let macro): try write(evaluate(call, scope, caller: callable(macro, scope)).asText())
        case .filterBlock(let filter, let body):
            let text = JinjaValue.text(try capture(body, Scope(parent: scope)))
            try write(apply(filter, to: text, scope).asText())
        case .with(let bindings, let body):
            let inner = Scope(parent: scope)
            for binding in bindings { try assign(try evaluate(binding.value, scope), to: binding.target, inner) }
            return try run(body, inner)
        case .scope(let body): try write(capture(body, Scope(parent: scope)))
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .normal
    }

    /// What `body` writes.
    func capture(_ body: [Node], _ scope: Scope) throws -> TrustedText {
        let outer = output
        output = TrustedText()
        defer { output = outer }
        _ = try run(body, scope)
        return output
    }

    func assign(_ value: JinjaValue, to target: Target, _ scope: Scope) throws {
        switch target {
        case .name(let name): scope.values[name] = value
        case .member(let base, let name):
            guard case .namespace(let namespace)? = scope.lookup(base) else {
                throw JinjaError(.evaluation, "cannot assign attribute on non-namespace object '\(base)'")
            }
            try Self.checkMember(name)
            namespace.members.set(name, value)
        case .tuple(let targets):
            let values = try value.iterated()
            guard values.count == targets.count else {
                throw JinjaError(.evaluation, "\(values.count) values to unpack where \(targets.count) are expected")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target, scope) }
        }
    }

    /// transformers keeps names with underscores off namespaces.
    static func checkMember(_ name: String) throws {
        if name.hasPrefix("_") {
            throw JinjaError(.evaluation, "the attribute '\(name)' of a namespace begins with an underscore")
        }
    }

    private func run(_ loop: Loop, over items: JinjaValue, depth: Int, _ scope: Scope) throws {
        var values = try items.iterated()
        try budget.reserveList(values.count)
        if let filter = loop.filter {
            var kept: [JinjaValue] = []
            for value in values {
                try budget.charge(1)
                let inner = Scope(parent: scope)
                inner.values["loop"] = .undefined("'loop' is undefined in the condition of a loop")
                try assign(value, to: loop.target, inner)
                if try evaluate(filter, inner).isTrue { kept.append(value) }
            }
            values = kept
        }
        let recursion: ((JinjaValue) throws -> TrustedText)? =
            loop.isRecursive
            ? { [unowned self] items in
                let outer = output
                output = TrustedText()
                defer { output = outer }
                try budget.enter()
                defer { budget.leave() }
                try run(loop, over: items, depth: depth + 1, scope)
                return output
            } : nil
        let state = LoopState(values, depth: depth, recursion: recursion)
        for (index, value) in values.enumerated() {
            try budget.charge(1)
            state.index = index
            let inner = Scope(parent: scope)
            inner.values["loop"] = .loop(state)
            try assign(value, to: loop.target, inner)
            if try run(loop.body, inner) == .breakLoop { break }
        }
        if values.isEmpty { _ = try run(loop.otherwise, Scope(parent: scope)) }
    }

    /// A macro, which sees the names of the place where it stands.
    private func callable(_ macro: Macro, _ scope: Scope) -> JinjaCallable {
        scopes.append(scope)
        let callable = JinjaCallable(macro.name) { interpreter, arguments in
            let inner = Scope(parent: scope)
            try interpreter.bind(arguments, to: macro, inner)
            return .text(try interpreter.capture(macro.body, inner))
        }
        callable.members = [
            "name": .text(macro.name),
            "arguments": .sequence(.tuple, macro.parameters.map { .text($0.name) }),
            "catch_kwargs": .bool(macro.takes.contains("kwargs")),
            "catch_varargs": .bool(macro.takes.contains("varargs")),
            "caller": .bool(macro.takes.contains("caller")),
        ]
        return callable
    }

    private func bind(_ arguments: CallArguments, to macro: Macro, _ scope: Scope) throws {
        var named = arguments.named
        for (index, parameter) in macro.parameters.enumerated() {
            if index < arguments.positional.count {
                scope.values[parameter.name] = arguments.positional[index]
            } else if let position = named.firstIndex(where: { $0.name == parameter.name }) {
                scope.values[parameter.name] = named.remove(at: position).value
            } else if let standard = parameter.standard {
                scope.values[parameter.name] = try evaluate(standard, scope)
            } else {
                scope.values[parameter.name] = .undefined("parameter '\(parameter.name)' was not provided")
            }
        }
        func isOwn(_ name: String) -> Bool { macro.parameters.contains { $0.name == name } }
        if macro.takes.contains("caller"), !isOwn("caller") {
            let position = named.firstIndex { $0.name == "caller" }
            scope.values["caller"] = position.map { named.remove(at: $0).value } ?? .undefined("No caller defined")
        }
        if macro.takes.contains("kwargs"), !isOwn("kwargs") {
            var object = JinjaObject()
            for (name, value) in named { object.set(name, value) }
            scope.values["kwargs"] = .object(object)
        } else if let extra = named.first {
            throw JinjaError(.evaluation, "macro '\(macro.name)' takes no keyword argument '\(extra.name)'")
        }
        let extra = Array(arguments.positional.dropFirst(macro.parameters.count))
        if macro.takes.contains("varargs"), !isOwn("varargs") {
            scope.values["varargs"] = .sequence(.tuple, extra)
        } else if !extra.isEmpty {
            throw JinjaError(
                .evaluation, "macro '\(macro.name)' takes not more than \(macro.parameters.count) arguments")
        }
    }
}

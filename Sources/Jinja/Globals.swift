/// The functions that transformers gives every template.
enum Globals {
    /// Nil for a name that is not global.
    static func value(_ name: String) throws -> JinjaValue? {
        switch name {
        case "range": return .callable(JinjaCallable(name) { try range($1, $0) })
        case "namespace": return .callable(JinjaCallable(name) { try namespace($1, $0) })
        case "dict": return .callable(JinjaCallable(name) { .object(try object("dict", $1, $0)) })
        case "raise_exception":
            return .callable(
                JinjaCallable(name) { _, arguments in
                    let message = try arguments.one("raise_exception", "message").asText()
                    throw JinjaError(.raised, message.trustedString)
                })
        case "strftime_now":
            return .callable(
                JinjaCallable(name) { interpreter, arguments in
                    let format = try arguments.one("strftime_now", "format").text("strftime_now")
                    return .text(try interpreter.clock().formatted(format))
                })
        case "lipsum", "cycler", "joiner", "self":
            throw JinjaError(.unsupported, "'\(name)' is not supported")
        default: return nil
        }
    }

    /// Members that a range may have in jinja2's sandbox.
    private static let rangeLimit = 100_000

    private static func range(_ arguments: CallArguments, _ interpreter: Interpreter) throws -> JinjaValue {
        guard (1...3).contains(arguments.positional.count), arguments.named.isEmpty else {
            throw JinjaError(.evaluation, "range takes one to three whole numbers")
        }
        let numbers = try arguments.positional.map { try $0.integer("range") }
        let (start, end) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
        let step = numbers.count == 3 ? numbers[2] : 1
        guard step != 0 else { throw JinjaError(.evaluation, "range: the step must not be zero") }
        let span = Double(end) - Double(start)
        guard span / Double(step) <= Double(rangeLimit) else {
            throw JinjaError(.limit, "range has more than \(rangeLimit) members")
        }
        let members = Array(stride(from: start, to: end, by: step))
        try interpreter.budget.reserveList(members.count)
        return .sequence(.range, members.map { .integer($0) })
    }

    private static func namespace(_ arguments: CallArguments, _ interpreter: Interpreter) throws -> JinjaValue {
        let namespace = interpreter.makeNamespace()
        let members = try object("namespace", arguments, interpreter)
        for key in members.keys { if case .text(let name) = key { try Interpreter.checkMember(name.string) } }
        namespace.members = members
        return .namespace(namespace)
    }

    /// `dict(mapping or pairs, name=value)`.
    private static func object(
        _ callee: String, _ arguments: CallArguments, _ interpreter: Interpreter
    ) throws -> JinjaObject {
        var result = JinjaObject()
        guard arguments.positional.count <= 1 else {
            throw JinjaError(.evaluation, "\(callee) takes one positional argument at most")
        }
        if case .object(let object)? = arguments.positional.first {
            result = object
        } else if let pairs = arguments.positional.first {
            for pair in try interpreter.members(of: pairs) {
                let members = try pair.iterated()
                guard members.count == 2 else { throw JinjaError(.evaluation, "\(callee) needs pairs") }
                result.set(members[0], hashed: try interpreter.hashed(members[0]), members[1])
            }
        }
        for (name, value) in arguments.named { result.set(name, value) }
        return result
    }
}

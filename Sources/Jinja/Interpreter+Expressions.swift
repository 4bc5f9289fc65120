import Foundation

extension Interpreter {
    /// The value of an expression.
    ///
    /// - Parameter caller: the body of a `call` block, for the call that the expression is.
    func evaluate(_ expression: Expression, _ scope: Scope, caller: JinjaCallable? = nil) throws -> JinjaValue {
        try budget.enter()
        defer { budget.leave() }
        try budget.charge(1)
        let value = try compute(expression, scope, caller)
        guard value.depth <= Budget.nestingLimit else {
            throw JinjaError(.limit, "a value nests deeper than \(Budget.nestingLimit)")
        }
        return value
    }

    private func compute(_ expression: Expression, _ scope: Scope, _ caller: JinjaCallable?) throws -> JinjaValue {
        switch expression {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .float(let value): return .float(value)
        case .string(let text): return .text(text)
        case .name(let name):
            return try scope.lookup(name) ?? Globals.value(name) ?? .undefined("'\(name)' is undefined")
        case .list(let members): return .list(try members.map { try evaluate($0, scope) })
        case .tuple(let members): return .sequence(.tuple, try members.map { try evaluate($0, scope) })
        case .object(let members):
            var object = JinjaObject()
            for member in members {
                let key = try evaluate(member.key, scope)
                object.set(key, hashed: try hashed(key), try evaluate(member.value, scope))
            }
            return .object(object)
        case .attribute(let base, let name): return try attribute(name, of: evaluate(base, scope))
        case .item(let base, let key): return try item(evaluate(key, scope), of: evaluate(base, scope))
        case .slice(let base, let from, let to, let step):
            return try slice(
                evaluate(base, scope), from: from.map { try evaluate($0, scope) },
                to: to.map { try evaluate($0, scope) },
                step: step.map { try evaluate($0, scope) })
        case .call(let callee, let arguments):
            let function = try evaluate(callee, scope)
            var values = try self.arguments(arguments, scope)
            if let caller { values.named.append(("caller", .callable(caller))) }
            return try call(function, values)
        case .filter(let base, let name, let arguments):
            guard let base else { throw JinjaError(.evaluation, "the filter '\(name)' has nothing to work on") }
            return try filter(name, evaluate(base, scope), self.arguments(arguments, scope))
        case .test(let base, let name, let arguments):
            return .bool(try test(name, evaluate(base, scope), self.arguments(arguments, scope)))
        case .not(let base): return .bool(try !evaluate(base, scope).isTrue)
        case .negative(let base): return try negated(evaluate(base, scope))
        case .positive(let base):
            let value = try evaluate(base, scope)
            if let integer = value.integer { return .integer(integer) }
            guard value.number != nil else { throw try Self.undefinedOr(value, "bad operand for unary +") }
            return value
        case .and(let left, let right):
            let value = try evaluate(left, scope)
            return value.isTrue ? try evaluate(right, scope) : value
        case .or(let left, let right):
            let value = try evaluate(left, scope)
            return value.isTrue ? value : try evaluate(right, scope)
        case .arithmetic(let operation, let left, let right):
            return try arithmetic(operation, evaluate(left, scope), evaluate(right, scope))
        case .concatenation(let parts):
            var text = TrustedText()
            for part in parts {
                let next = try evaluate(part, scope).asText()
                try budget.reserve(text.count + next.count)
                text.append(next)
            }
            return .text(text)
        case .comparison(let first, let links):
            var left = try evaluate(first, scope)
            for link in links {
                let right = try evaluate(link.operand, scope)
                if try !compare(link.operation, left, right) { return .bool(false) }
                left = right
            }
            return .bool(true)
        case .conditional(let value, let test, let other):
            if try evaluate(test, scope).isTrue { return try evaluate(value, scope) }
            return try other.map { try evaluate($0, scope) }
                ?? .undefined("the inline if without else evaluated to false")
        }
    }

    /// The filters of a block, whose innermost has no base.
    func apply(_ expression: Expression, to value: JinjaValue, _ scope: Scope) throws -> JinjaValue {
        guard case .filter(let base, let name, let arguments) = expression else {
            return try evaluate(expression, scope)
        }
        let input = try base.map { try apply($0, to: value, scope) } ?? value
        return try filter(name, input, self.arguments(arguments, scope))
    }

    private func arguments(_ arguments: Arguments, _ scope: Scope) throws -> CallArguments {
        var values = CallArguments()
        values.positional = try arguments.positional.map { try evaluate($0, scope) }
        for (name, value) in arguments.named { values.named.append((name, try evaluate(value, scope))) }
        if let list = arguments.list { values.positional += try evaluate(list, scope).iterated() }
        if let object = arguments.object {
            guard case .object(let members) = try evaluate(object, scope) else {
                throw JinjaError(.evaluation, "argument after ** must be a mapping")
            }
            for (key, value) in members.entries {
                values.named.append((try key.text("an argument after **").string, value))
            }
        }
        return values
    }

    func call(_ function: JinjaValue, _ arguments: CallArguments) throws -> JinjaValue {
        switch function {
        case .callable(let callable):
            try budget.enter()
            defer { budget.leave() }
            return try callable.call(self, arguments)
        case .loop(let state):
            guard let recursion = state.recursion else {
                throw JinjaError(.evaluation, "the loop is called, but is not marked 'recursive'")
            }
            return .text(try recursion(arguments.one("loop", "iterable")))
        default: throw try Self.undefinedOr(function, "'\(function.typeName)' object is not callable")
        }
    }

    func hashed(_ key: JinjaValue) throws -> JinjaObject.Key {
        guard let hashed = JinjaObject.key(key) else {
            throw JinjaError(.evaluation, "a value of type \(key.typeName) cannot be a key")
        }
        return hashed
    }

    /// The error of an operation on `value`: that it is undefined, if it is.
    static func undefinedOr(_ value: JinjaValue, _ message: String) throws -> JinjaError {
        if case .undefined(let what) = value { return JinjaError(.evaluation, what) }
        return JinjaError(.evaluation, message)
    }

    /// Python's `Markup` escapes in many ways what meets it; but for `+` that is refused.
    static func checkMarkup(_ text: TrustedText, _ operation: String) throws {
        if text.isMarkup {
            throw JinjaError(.unsupported, "'\(operation)' with text that the filter 'safe' made is not supported")
        }
    }

    private func compare(_ operation: String, _ a: JinjaValue, _ b: JinjaValue) throws -> Bool {
        if case .text(let text) = a { try budget.charge(text.count / 64) }
        func ordered(_ a: JinjaValue, _ b: JinjaValue) throws -> Bool {
            for value in [a, b] where value.isUndefined { throw try Self.undefinedOr(value, "") }
            return try a.isLess(b, budget)
        }
        switch operation {
        case "==": return try a.equals(b, budget)
        case "!=": return try !a.equals(b, budget)
        case "in": return try a.isContained(in: b, budget)
        case "not in": return try !a.isContained(in: b, budget)
        case "<": return try ordered(a, b)
        case ">": return try ordered(b, a)
        case "<=": return try ordered(a, b) || a.equals(b, budget)
        default: return try ordered(b, a) || a.equals(b, budget)
        }
    }

    private func negated(_ value: JinjaValue) throws -> JinjaValue {
        if let integer = value.integer { return .integer(try Self.exact(0.subtractingReportingOverflow(integer))) }
        guard let number = value.number else { throw try Self.undefinedOr(value, "bad operand for unary -") }
        return .float(-number)
    }

    private static func exact(_ result: (partialValue: Int, overflow: Bool)) throws -> Int {
        guard !result.overflow else { throw JinjaError(.unsupported, "a whole number beyond 64 bits is not supported") }
        return result.partialValue
    }

    func arithmetic(_ operation: String, _ a: JinjaValue, _ b: JinjaValue) throws -> JinjaValue {
        if let x = a.integer, let y = b.integer { return try Self.whole(operation, x, y) }
        if let x = a.number, let y = b.number {
            for case .whole in [a, b] {
                throw JinjaError(.limit, "'\(operation)' of an integer of more than 64 bits")
            }
            return .float(try Self.real(operation, x, y))
        }
        switch (operation, a, b) {
        case ("+", .text(let x), .text(let y)):
            // Text that the filter `safe` made escapes what is added to it.
            let isMarkup = x.isMarkup || y.isMarkup
            var sum = isMarkup && !x.isMarkup ? x.escaped : x
            let rest = isMarkup && !y.isMarkup ? y.escaped : y
            try budget.reserve(sum.count + rest.count)
            sum.append(rest)
            sum.isMarkup = isMarkup
            return .text(sum)
        case ("+", .sequence(.list, let x, _), .sequence(.list, let y, _)):
            try budget.reserveList(x.count + y.count)
            return .list(x + y)
        case ("+", .sequence(.tuple, let x, _), .sequence(.tuple, let y, _)):
            try budget.reserveList(x.count + y.count)
            return .sequence(.tuple, x + y)
        case ("*", .text(let text), _) where b.integer != nil: return try repeated(text, b.integer ?? 0)
        case ("*", _, .text(let text)) where a.integer != nil: return try repeated(text, a.integer ?? 0)
        case ("*", .sequence(let kind, let values, _), _) where kind != .range && b.integer != nil:
            return try repeated(kind, values, b.integer ?? 0)
        case ("*", _, .sequence(let kind, let values, _)) where kind != .range && a.integer != nil:
            return try repeated(kind, values, a.integer ?? 0)
        case ("%", .text(let format), _):
            let values: [JinjaValue] = if case .sequence(.tuple, let members, _) = b { members } else { [b] }
            return .text(try Formatting.percent(format, values, budget))
        default:
            for value in [a, b] where value.isUndefined { throw try Self.undefinedOr(value, "") }
            throw JinjaError(
                .evaluation, "'\(operation)' is not supported between '\(a.typeName)' and '\(b.typeName)'")
        }
    }

    private func repeated(_ text: TrustedText, _ times: Int) throws -> JinjaValue {
        try Self.checkMarkup(text, "*")
        try budget.reserve(max(0, times), times: text.count)
        return .text(
            TrustedText.joined(Array(repeating: text, count: text.isEmpty ? 0 : max(0, times)), by: TrustedText()))
    }

    private func repeated(_ kind: JinjaValue.SequenceKind, _ values: [JinjaValue], _ times: Int) throws -> JinjaValue {
        let (count, overflow) = values.count.multipliedReportingOverflow(by: max(0, times))
        try budget.reserveList(overflow ? Int.max : count)
        return .sequence(kind, (0..<(values.isEmpty ? 0 : max(0, times))).flatMap { _ in values })
    }

    private static func whole(_ operation: String, _ a: Int, _ b: Int) throws -> JinjaValue {
        switch operation {
        case "+": return .integer(try exact(a.addingReportingOverflow(b)))
        case "-": return .integer(try exact(a.subtractingReportingOverflow(b)))
        case "*": return .integer(try exact(a.multipliedReportingOverflow(by: b)))
        case "**":
            guard b >= 0 else { return .float(try real("**", Double(a), Double(b))) }
            var result = 1
            // A base of 0, 1 or −1 never grows; its power depends on whether the exponent is 0, odd or even.
            for _ in 0..<(a.magnitude <= 1 && b > 0 ? 2 - b % 2 : b) {
                result = try exact(result.multipliedReportingOverflow(by: a))
            }
            return .integer(result)
        default:
            guard b != 0 else { throw JinjaError(.evaluation, "division by zero") }
            if operation == "/" { return .float(Double(a) / Double(b)) }
            let (quotient, remainder) = (try exact(a.dividedReportingOverflow(by: b)), b == -1 ? 0 : a % b)
            let isBelow = remainder != 0 && (remainder < 0) != (b < 0)
            return .integer(operation == "//" ? quotient - (isBelow ? 1 : 0) : remainder + (isBelow ? b : 0))
        }
    }

    private static func real(_ operation: String, _ a: Double, _ b: Double) throws -> Double {
        switch operation {
        case "+": return a + b
        case "-": return a - b
        case "*": return a * b
        case "**":
            let power = pow(a, b)
            guard power.isFinite else { throw JinjaError(.evaluation, "'**' of these numbers gives none") }
            return power
        default:
            guard b != 0 else { throw JinjaError(.evaluation, "division by zero") }
            if operation == "/" { return a / b }
            var remainder = a.truncatingRemainder(dividingBy: b)
            if remainder != 0, (remainder < 0) != (b < 0) { remainder += b }
            return operation == "%" ? remainder : ((a - remainder) / b).rounded()
        }
    }
}

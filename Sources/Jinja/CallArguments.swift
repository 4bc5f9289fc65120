/// The values that a call, a filter or a test is given.
package struct CallArguments {
    var positional: [JinjaValue] = []
    var named: [(name: String, value: JinjaValue)] = []

    /// Values for the parameters in order, nil where none is given.
    ///
    /// - Throws: `JinjaError.evaluation` for what is too much, `.unsupported` for a name that is not known here.
    func bound(_ callee: String, _ names: [String]) throws -> [JinjaValue?] {
        guard positional.count <= names.count else {
            throw JinjaError(.evaluation, "\(callee) takes \(names.count) arguments, not \(positional.count)")
        }
        var values: [JinjaValue?] = positional
        values += Array(repeating: nil, count: names.count - positional.count)
        for (name, value) in named {
            guard let index = names.firstIndex(of: name), index >= positional.count else {
                throw JinjaError(.unsupported, "\(callee): the argument '\(name)' is not supported")
            }
            values[index] = value
        }
        return values
    }

    func none(_ callee: String) throws { _ = try bound(callee, []) }

    func one(_ callee: String, _ name: String) throws -> JinjaValue {
        guard let value = try bound(callee, [name])[0] else {
            throw JinjaError(.evaluation, "\(callee) needs an argument")
        }
        return value
    }
}

extension JinjaValue {
    /// - Throws: `JinjaError.evaluation` for what is no string.
    func text(_ callee: String) throws -> TrustedText {
        guard case .text(let text) = self else {
            throw JinjaError(.evaluation, "\(callee) needs text, not \(typeName)")
        }
        return text
    }

    /// - Throws: `JinjaError.evaluation` for what is no whole number.
    func integer(_ callee: String) throws -> Int {
        guard let integer else { throw JinjaError(.evaluation, "\(callee) needs a whole number, not \(typeName)") }
        return integer
    }
}

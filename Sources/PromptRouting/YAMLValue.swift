internal import Yams

/// A value in a YAML file that knows where it stands.
struct YAMLValue {
    let node: Node
    let file: String

    /// Reads a whole file; nil for one that holds nothing.
    ///
    /// - Throws: `ConfigurationError`.
    static func parse(_ text: String, file: String) throws -> YAMLValue? {
        do {
            return try Yams.compose(yaml: text).map { YAMLValue(node: $0, file: file) }
        } catch let error as YamlError {
            let (line, column, problem) = error.place
            throw ConfigurationError(file: file, line: line, column: column, problem)
        } catch {
            throw ConfigurationError(file: file, "\(error)")
        }
    }

    func error(_ message: String) -> ConfigurationError {
        ConfigurationError(file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, message)
    }

    // MARK: Reading

    func string(_ what: String = "a text") throws -> String {
        guard let scalar = node.scalar else { throw error("\(what) is expected here") }
        return scalar.string
    }

    /// - Throws: `ConfigurationError` for what is no number, or one out of `range`.
    func int(_ range: ClosedRange<Int>) throws -> Int {
        let text = try string("a number")
        guard let value = Int(text), range.contains(value) else {
            throw error("'\(text.prefix(40))' is not a whole number of \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func number(_ range: ClosedRange<Double>) throws -> Double {
        let text = try string("a number")
        guard let value = Double(text), range.contains(value) else {
            throw error("'\(text.prefix(40))' is not a number of \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func list() throws -> [YAMLValue] {
        guard let sequence = node.sequence else { throw error("a list is expected here") }
        return sequence.map { YAMLValue(node: $0, file: file) }
    }

    /// A list, or one value alone.
    func oneOrMany() -> [YAMLValue] {
        node.sequence.map { $0.map { YAMLValue(node: $0, file: file) } } ?? [self]
    }

    /// Names and values in the order of the file.
    func entries() throws -> [(name: YAMLValue, value: YAMLValue)] {
        guard let mapping = node.mapping else { throw error("names and values ('name: value') are expected here") }
        return mapping.map { (YAMLValue(node: $0.key, file: file), YAMLValue(node: $0.value, file: file)) }
    }

    /// A mapping with these names and no others.
    ///
    /// - Throws: `ConfigurationError` at a name that is not among them.
    func fields(_ known: [String]) throws -> [String: YAMLValue] {
        var fields: [String: YAMLValue] = [:]
        for (name, value) in try entries() {
            let text = try name.string("a name")
            guard known.contains(text) else {
                throw name.error("'\(text.prefix(40))' is not known here; known are: \(known.joined(separator: ", "))")
            }
            fields[text] = value
        }
        return fields
    }
}

extension YamlError {
    /// Line and column from 1, and what is wrong.
    fileprivate var place: (line: Int, column: Int, problem: String) {
        switch self {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, mark.column, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark.line, context.mark.column, "\(duplicates.joined(separator: ", ")) stands twice")
        default: (0, 0, "not valid YAML")
        }
    }
}

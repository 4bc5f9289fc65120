internal import Foundation
internal import Yams

/// A value in a YAML file that knows its line, so that errors name it.
package struct YAMLValue {
    private let node: Node
    package let file: String
    private static let fileLimit = 1 << 20

    private init(node: Node, file: String) { (self.node, self.file) = (node, file) }

    /// The text of a configuration file.
    ///
    /// - Throws: `ConfigurationError` for one that cannot be read, is larger than 1 MiB, or not UTF-8.
    package static func text(of file: String) throws -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw ConfigurationError(file: file, "cannot be read: \(error.localizedDescription)")
        }
        guard data.count <= fileLimit else { throw ConfigurationError(file: file, "is larger than 1 MiB") }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ConfigurationError(file: file, "is not UTF-8")
        }
        return text
    }

    /// Reads a whole file; nil for one that holds nothing.
    ///
    /// - Throws: `ConfigurationError`.
    package static func parse(_ text: String, file: String) throws -> YAMLValue? {
        do {
            return try Yams.compose(yaml: text).map { YAMLValue(node: $0, file: file) }
        } catch let error as YamlError {
            let (line, column, problem) = error.place
            throw ConfigurationError(file: file, line: line, column: column, problem)
        } catch {
            throw ConfigurationError(file: file, "\(error)")
        }
    }

    package func error(_ message: String) -> ConfigurationError {
        ConfigurationError(file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, message)
    }

    // MARK: Reading

    /// Where it stands: `nephele.yaml:3:9`.
    package var place: String { "\(file):\(node.mark?.line ?? 0):\(node.mark?.column ?? 0)" }

    /// Whether it is one value, neither a list nor names and values.
    package var isScalar: Bool { node.scalar != nil }

    /// Whether nothing stands there: `name:` alone, or `null`.
    package var isEmpty: Bool { node.tag == Tag(.null) }

    package func string(_ what: String = "a text") throws -> String {
        guard let scalar = node.scalar else { throw error("\(what) is expected here") }
        return scalar.string
    }

    /// - Throws: `ConfigurationError` for what is no number, or one out of `range`.
    package func int(_ range: ClosedRange<Int>) throws -> Int {
        let text = try string("a number")
        guard let value = Int(text), range.contains(value) else {
            throw error("'\(text.prefix(40))' is not a whole number of \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    package func number(_ range: ClosedRange<Double>) throws -> Double {
        let text = try string("a number")
        guard let value = Double(text), range.contains(value) else {
            throw error("'\(text.prefix(40))' is not a number of \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    package func list() throws -> [YAMLValue] {
        guard let sequence = node.sequence else { throw error("a list is expected here") }
        return sequence.map { YAMLValue(node: $0, file: file) }
    }

    /// One of an enumeration's values.
    package func choice<Choice: RawRepresentable & CaseIterable>() throws -> Choice where Choice.RawValue == String {
        let text = try string()
        guard let choice = Choice(rawValue: text) else {
            throw error("'\(text.prefix(40))' is none of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    /// A list, or one value alone.
    package func oneOrMany() -> [YAMLValue] {
        node.sequence.map { $0.map { YAMLValue(node: $0, file: file) } } ?? [self]
    }

    /// Names and values in the order of the file.
    package func entries() throws -> [(name: YAMLValue, value: YAMLValue)] {
        guard let mapping = node.mapping else { throw error("names and values ('name: value') are expected here") }
        return mapping.map { (YAMLValue(node: $0.key, file: file), YAMLValue(node: $0.value, file: file)) }
    }

    /// A mapping with these names and no others.
    ///
    /// - Parameter suggesting: whether the error suggests a known name that is near to the unknown one.
    /// - Throws: `ConfigurationError` at a name that is not among them.
    package func fields(_ known: [String], suggesting: Bool = false) throws -> [String: YAMLValue] {
        var fields: [String: YAMLValue] = [:]
        for (name, value) in try entries() {
            let text = try name.string("a name")
            guard known.contains(text) else {
                let near = suggesting ? Spelling.nearest(to: text, among: known) : nil
                throw name.error(
                    "'\(text.prefix(40))' is not known here; "
                        + (near.map { "did you mean '\($0)'? Known are: " } ?? "known are: ")
                        + known.joined(separator: ", "))
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

internal import Foundation
internal import Yams

extension FilterPolicy {
    /// Reads a policy from a YAML file: `rules`, and `phrases` and `patterns` beside those that ship.
    ///
    /// - Throws: `FilterError` that names the file, the line and what is wrong there.
    package init(file: String) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw FilterError("\(file): cannot be read: \(error.localizedDescription)")
        }
        guard data.count <= 1 << 20, let text = String(validating: data, as: UTF8.self) else {
            throw FilterError("\(file): is larger than 1 MiB, or not UTF-8")
        }
        try self.init(text, file: file)
    }

    /// - Parameter file: what errors name.
    package init(_ text: String, file: String) throws {
        let document: Node?
        do {
            document = try Yams.compose(yaml: text)
        } catch {
            throw FilterError("\(file): \(error)")
        }
        guard let document else { throw FilterError("\(file): holds no rules") }
        let reader = PolicyReader(file: file)
        let fields = try reader.fields(document, ["rules", "phrases", "patterns"])
        self.init(name: file, rules: try fields["rules"].map { try reader.list($0).map(reader.rule) } ?? [])
        phrases = try fields["phrases"].map { try reader.list($0).flatMap(reader.phrases) } ?? []
        patterns = try fields["patterns"].map { try reader.list($0).map(reader.pattern) } ?? []
        try reader.check(self, document)
    }
}

/// Reads the parts of a policy and says at which line one is wrong.
private struct PolicyReader {
    let file: String

    func error(_ node: Node, _ message: String) -> FilterError {
        FilterError("\(file)\(node.mark.map { ", line \($0.line)" } ?? ""): \(message)")
    }

    // MARK: Values

    func fields(_ node: Node, _ known: [String]) throws -> [String: Node] {
        guard let mapping = node.mapping else {
            throw error(node, "names and values ('name: value') are expected here")
        }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.string, known.contains(name) else {
                let name = key.string.map { String($0.prefix(40)) } ?? "?"
                throw error(key, "'\(name)' is not known here; known are: \(known.joined(separator: ", "))")
            }
            fields[name] = value
        }
        return fields
    }

    func list(_ node: Node) throws -> [Node] {
        guard let sequence = node.sequence else { throw error(node, "a list is expected here") }
        return Array(sequence)
    }

    func string(_ node: Node?, _ name: String, in parent: Node) throws -> String {
        guard let node else { throw error(parent, "'\(name)' is missing") }
        guard let text = node.scalar?.string, !text.isEmpty else { throw error(node, "'\(name)' takes a text") }
        return text
    }

    func strings(_ node: Node?, _ name: String, in parent: Node) throws -> [String] {
        guard let sequence = node?.sequence else { return [try string(node, name, in: parent)] }
        return try sequence.map { try string($0, name, in: parent) }
    }

    func number(_ node: Node?, _ name: String, default standard: Double) throws -> Double {
        guard let node else { return standard }
        guard let value = node.scalar.flatMap({ Double($0.string) }), (0...1).contains(value) else {
            throw error(node, "'\(name)' takes a number from 0 to 1")
        }
        return value
    }

    // MARK: Parts

    func rule(_ node: Node) throws -> FilterPolicy.Rule {
        let fields = try fields(node, ["name", "categories", "threshold", "direction", "action", "replacement"])
        let action = try string(fields["action"], "action", in: node)
        guard let action = FilterPolicy.Action(rawValue: action) else {
            throw error(fields["action"] ?? node, "action is '\(action.prefix(40))'; give flag, redact or block")
        }
        var directions = Set(FilterPolicy.Direction.allCases)
        if let given = fields["direction"] {
            directions = Set(
                try strings(given, "direction", in: node).map { name in
                    guard let direction = FilterPolicy.Direction(rawValue: name) else {
                        throw error(given, "direction is '\(name.prefix(40))'; give in, out or image")
                    }
                    return direction
                })
        }
        return FilterPolicy.Rule(
            try string(fields["name"], "name", in: node),
            try strings(fields["categories"], "categories", in: node),
            threshold: try number(fields["threshold"], "threshold", default: 0.5), directions: directions,
            action: action,
            replacement: try fields["replacement"].map { try string($0, "replacement", in: node) } ?? "[redacted]")
    }

    func phrases(_ node: Node) throws -> [Phrase] {
        let fields = try fields(node, ["category", "score", "phrases"])
        let category = FilterCategory(rawValue: try string(fields["category"], "category", in: node))
        let score = try number(fields["score"], "score", default: 1)
        return try strings(fields["phrases"], "phrases", in: node).map { Phrase($0, category, score: score) }
    }

    func pattern(_ node: Node) throws -> PatternDetector {
        let fields = try fields(node, ["name", "category", "score", "pattern"])
        do {
            return try PatternDetector(
                try string(fields["name"], "name", in: node),
                FilterCategory(rawValue: try string(fields["category"], "category", in: node)),
                score: try number(fields["score"], "score", default: 1),
                try string(fields["pattern"], "pattern", in: node))
        } catch let problem as FilterError where !problem.description.hasPrefix(file) {
            throw error(fields["pattern"] ?? node, problem.description)
        }
    }

    /// - Throws: `FilterError` for a rule of a name that another bears, or of a category that nothing finds.
    func check(_ policy: FilterPolicy, _ node: Node) throws {
        let known = FilterCategory.all + policy.phrases.map(\.category) + policy.patterns.map(\.category)
        var names = Set<String>()
        for (rule, place) in zip(policy.rules, node["rules"]?.sequence.map { Array($0) } ?? []) {
            guard names.insert(rule.name).inserted else {
                throw error(place, "there are two rules of the name '\(rule.name.prefix(40))'")
            }
            for category in rule.categories {
                let alone = FilterPolicy.Rule(rule.name, [category], action: rule.action)
                guard known.contains(where: { alone.covers($0) }) else {
                    throw error(place, "nothing finds the category '\(category.prefix(40))'")
                }
            }
        }
    }
}

import Foundation
import Tokenizers

/// The fields of a JSON file, each read as what it must be.
struct JSONFields {
    private indirect enum Value: Decodable {
        case null
        case bool(Bool)
        case number(Double)
        case text(String)
        case list([Value])
        case object([String: Value])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Double.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else if let value = try? container.decode([Value].self) {
                self = .list(value)
            } else {
                self = .object(try container.decode([String: Value].self))
            }
        }

        var number: Double? { if case .number(let value) = self { value } else { nil } }
        var text: String? { if case .text(let value) = self { value } else { nil } }
    }

    private let fields: [String: Value]
    /// The same with objects in the order of the file.
    private let ordered: JSONValue?
    private let path: String

    /// - Parameter limit: bytes of the longest file that is read.
    /// - Throws: `TextModelError` that names the file.
    init(path: String, limit: Int) throws(TextModelError) {
        self.path = path
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            data = try handle.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(path): \(error.localizedDescription)")
        }
        guard data.count <= limit else {
            throw TextModelError(.invalidCheckpoint, "\(path) is longer than \(limit) bytes")
        }
        ordered = try? JSONParser.parse(Array(data))
        do { fields = try JSONDecoder().decode([String: Value].self, from: data) } catch {
            throw TextModelError(.invalidCheckpoint, "\(path) is not a JSON object")
        }
    }

    var names: [String] { fields.keys.sorted() }

    /// Null, false, or empty.
    func isOff(_ name: String) -> Bool {
        switch fields[name] {
        case nil, .null, .bool(false): true
        case .text(let text): text.isEmpty
        case .list(let values): values.isEmpty
        case .object(let values): values.isEmpty
        case .bool, .number: false
        }
    }

    /// The error of a field that cannot be taken.
    func refusal(_ field: String, _ what: String) -> TextModelError {
        TextModelError(.invalidCheckpoint, "\(path): \"\(field)\" \(what)")
    }

    /// The field, unless it is left out or null.
    private func value<Result>(
        _ name: String, _ type: String, _ read: (Value) -> Result?
    ) throws(TextModelError) -> Result? {
        guard let value = fields[name] else { return nil }
        if case .null = value { return nil }
        guard let result = read(value) else { throw refusal(name, "is not \(type)") }
        return result
    }

    func text(_ name: String) throws(TextModelError) -> String? { try value(name, "a text") { $0.text } }

    /// nil for anything but a text.
    func optionalText(_ name: String) -> String? { fields[name]?.text }

    func bool(_ name: String) throws(TextModelError) -> Bool? {
        try value(name, "true or false") { if case .bool(let value) = $0 { value } else { nil } }
    }

    func number(_ name: String) throws(TextModelError) -> Double? { try value(name, "a number") { $0.number } }

    func integer(_ name: String) throws(TextModelError) -> Int? {
        try value(name, "a whole number") { $0.number.flatMap { Int(exactly: $0) } }
    }

    /// One or several.
    func integers(_ name: String) throws(TextModelError) -> [Int] {
        try value(name, "a whole number or a list of them") { value -> [Int]? in
            guard case .list(let values) = value else { return value.number.flatMap { Int(exactly: $0) }.map { [$0] } }
            let numbers = values.compactMap { $0.number.flatMap { Int(exactly: $0) } }
            return numbers.count == values.count ? numbers : nil
        } ?? []
    }

    /// One or several.
    func texts(_ name: String) throws(TextModelError) -> [String] {
        try value(name, "a text or a list of texts") { value -> [String]? in
            guard case .list(let values) = value else { return value.text.map { $0.isEmpty ? [] : [$0] } }
            let texts = values.compactMap(\.text)
            return texts.count == values.count ? texts : nil
        } ?? []
    }

    /// A list of names, `all-linear`, or an expression; nil where the field is off.
    func modules(_ name: String) throws(TextModelError) -> ModulePattern? {
        guard !isOff(name) else { return nil }
        guard case .text(let text) = fields[name] else { return .names(try texts(name)) }
        if text == "all-linear" { return .allLinear }
        do { return try ModulePattern(expression: text) } catch {
            throw refusal(name, "is not an expression: \(error)")
        }
    }

    /// The names in an object, in the order of the file; a name that comes twice stands where it came first, as in Python.
    private func order(_ name: String) -> [String: Int] {
        guard case .object(let members)? = ordered?[name] else { return [:] }
        return Dictionary(members.enumerated().map { (String(decoding: $1.key, as: UTF8.self), $0) }) { first, _ in
            first
        }
    }

    /// An object of numbers by patterns of modules' names, in the order of the file.
    func patterns<Result>(
        _ name: String, _ check: (String, Double) throws(TextModelError) -> Result
    ) throws(TextModelError) -> [(name: String, pattern: ModulePattern, value: Result)] {
        guard !isOff(name) else { return [] }
        guard case .object(let values) = fields[name] else { throw refusal(name, "is not an object") }
        var patterns: [(name: String, pattern: ModulePattern, value: Result)] = []
        let order = order(name)
        for (key, value) in values.sorted(by: { order[$0.key] ?? 0 < order[$1.key] ?? 0 }) {
            guard let number = value.number else { throw refusal("\(name).\(key)", "is not a number") }
            let pattern: ModulePattern
            do { pattern = try ModulePattern(ending: key) } catch {
                throw refusal("\(name).\(key)", "is not an expression: \(error)")
            }
            patterns.append((key, pattern, try check(key, number)))
        }
        return patterns
    }
}

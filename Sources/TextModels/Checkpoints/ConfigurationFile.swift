import Foundation
package import JSON
import Tensors

/// The fields of a `config.json` or a `generation_config.json`, each read as what it must be. A field that nobody asks
/// for is not looked at, as in transformers.
package struct ConfigurationFile: Sendable {
    /// The longest file that is read, in bytes.
    private static let limit = 16 << 20

    /// The file, as errors name it.
    let path: String
    private let object: JSONObject
    /// What stands before the names of the fields: `rope_scaling.`.
    private let prefix: String
    /// What errors of a wrong type add about the file.
    private let note: String

    /// - Throws: `TextModelError.invalidCheckpoint` that names the file and says where it is no JSON object.
    package init(path: String) throws(TextModelError) {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            data = try file.read(upToCount: Self.limit + 1) ?? Data()
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(path): \(error.localizedDescription)")
        }
        guard data.count <= Self.limit else {
            throw TextModelError(.invalidCheckpoint, "\(path) is longer than \(Self.limit) bytes")
        }
        let quoted = PythonNumbers.quoted(data)
        let value: JSONValue
        do { value = try JSONParser.parse(Array(quoted)) } catch {
            let place = error.path.description
            throw TextModelError(
                .invalidCheckpoint,
                "\(path) is not a model configuration: \(place.isEmpty ? "" : "\"\(place)\": ")\(error.problem)")
        }
        guard case .object(let object) = value else {
            throw TextModelError(.invalidCheckpoint, "\(path) is not a model configuration: it is not a JSON object")
        }
        (self.path, self.object, prefix) = (path, object, "")
        note = quoted.count > data.count ? " (the file has Infinity or NaN, which is not JSON)" : ""
    }

    /// A configuration that is in no file.
    ///
    /// - Parameter name: what errors call it.
    package init(_ object: JSONObject, named name: String) {
        (path, self.object, prefix, note) = (name, object, "", "")
    }

    /// The fields as they stand in the file.
    package var json: JSONObject { object }

    private init(_ parent: ConfigurationFile, _ name: String, _ object: JSONObject) {
        (path, self.object, note) = (parent.path, object, parent.note)
        prefix = parent.prefix + name + "."
    }

    /// The error of a field that cannot be taken: `FILE: "FIELD" what`.
    package func refusal(
        _ field: String, _ what: String, _ code: TextModelError.Code = .invalidCheckpoint
    ) -> TextModelError {
        TextModelError(code, "\(path): \"\(prefix)\(field)\" \(what)")
    }

    // MARK: One field, nil where it is left out or null

    /// The names of the fields, in the order of the file.
    var names: [String] { object.members.map(\.key) }

    /// The field as it stands in the file.
    func value(_ name: String) -> JSONValue? { object[name] }

    /// Whether the file has the field, be it null.
    func has(_ name: String) -> Bool { object[name] != nil }

    func isNull(_ name: String) -> Bool { object[name]?.isNull ?? false }

    private func value<Result>(
        _ name: String, _ type: String, _ read: (JSONValue) -> Result?
    ) throws(TextModelError) -> Result? {
        guard let value = object[name], !value.isNull else { return nil }
        guard let result = read(value) else { throw refusal(name, "has the wrong type: it must be \(type)\(note)") }
        return result
    }

    func text(_ name: String) throws(TextModelError) -> String? { try value(name, "a text") { $0.text } }

    func bool(_ name: String) throws(TextModelError) -> Bool? {
        try value(name, "true or false") { if case .bool(let flag) = $0 { flag } else { nil } }
    }

    package func integer(_ name: String) throws(TextModelError) -> Int? {
        try value(name, "a whole number") { if case .number(let number) = $0 { number.integer() } else { nil } }
    }

    package func number(_ name: String) throws(TextModelError) -> Double? {
        try value(name, "a number") { Self.number($0) }
    }

    /// The field where it is a number; nil for anything else.
    package func doubleValue(_ name: String) -> Double? { object[name].flatMap(Self.number) }

    private static func number(_ value: JSONValue) -> Double? {
        if case .number(let number) = value { number.double } else { nil }
    }

    func numbers(_ name: String) throws(TextModelError) -> [Double]? {
        try value(name, "a list of numbers") { value in
            guard let elements = value.elements else { return nil }
            let numbers = elements.compactMap(Self.number)
            return numbers.count == elements.count ? numbers : nil
        }
    }

    func texts(_ name: String) throws(TextModelError) -> [String]? {
        try value(name, "a list of texts") { value in
            guard let elements = value.elements else { return nil }
            let texts = elements.compactMap(\.text)
            return texts.count == elements.count ? texts : nil
        }
    }

    /// One id of a token, or several.
    package func tokens(_ name: String) throws(TextModelError) -> [Int32]? {
        try value(name, "the id of a token or a list of them") { value in
            let elements = value.elements ?? [value]
            let ids = elements.compactMap {
                if case .number(let number) = $0 { number.integer(Int32.self) } else { nil }
            }
            return ids.count == elements.count ? ids : nil
        }
    }

    /// The fields of an object, `rope_scaling` for example.
    func fields(_ name: String) throws(TextModelError) -> ConfigurationFile? {
        try value(name, "an object") { value in
            if case .object(let object) = value { ConfigurationFile(self, name, object) } else { nil }
        }
    }

    // MARK: What a field must be

    /// A whole number within its sane range.
    ///
    /// - Parameter absent: the architecture's own where the file does not name the field; nil for one that must be there.
    /// - Throws: `TextModelError.invalidCheckpoint` where it is missing or lies outside.
    func extent(
        _ name: String, in range: ClosedRange<Int>, absent: Int? = nil
    ) throws(TextModelError) -> Int {
        guard let value = try integer(name) ?? absent else {
            throw TextModelError(.invalidCheckpoint, "\(path) has no \"\(prefix)\(name)\"")
        }
        guard range.contains(value) else {
            throw refusal(name, "is \(value), outside \(range.lowerBound)…\(range.upperBound)")
        }
        return value
    }

    /// A number above 0.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` where it is missing or is not positive.
    func positive(_ name: String, absent: Double? = nil) throws(TextModelError) -> Double {
        let value = try number(name) ?? absent
        guard let value, value > 0, value.isFinite else {
            throw refusal(name, "is \(value.map { "\($0)" } ?? "missing"); it must be positive")
        }
        return value
    }

    /// A number above 0 for which null means none.
    func positiveOrNone(_ name: String, absent: Double?) throws(TextModelError) -> Float? {
        guard let value = isNull(name) ? nil : try number(name) ?? absent else { return nil }
        return Float(try positive(name, absent: value))
    }

    /// - Throws: `TextModelError.unsupported` where the flag is set.
    func refuse(_ name: String) throws(TextModelError) {
        if try bool(name) == true { throw refusal(name, "is true, which is not supported", .unsupported) }
    }

    /// - Throws: `TextModelError.unsupported` for an activation that is not known here.
    func activation(_ name: String, absent: String) throws(TextModelError) -> Device.Activation {
        let value = try text(name) ?? absent
        switch value {
        case "gelu_new", "gelu_pytorch_tanh": return .geluTanh
        case "gelu": return .geluErf
        case "quick_gelu": return .geluQuick
        case "silu", "swish": return .silu
        case "relu": return .relu
        default:
            throw refusal(
                name, "is \"\(value)\"; known: gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu",
                .unsupported)
        }
    }

    /// How many of the last positions a row of a windowed layer sees; nil for all.
    func window(absent: Int?) throws(TextModelError) -> Int? {
        guard !isNull("sliding_window"), let window = try integer("sliding_window") ?? absent else { return nil }
        return try extent("sliding_window", in: 1...Int(Int32.max), absent: window)
    }

    /// The window of each layer, 0 for none: as `layer_types` says, or else as the architecture does.
    ///
    /// - Throws: `TextModelError.unsupported` for a type of layer that is not known here.
    func windows(_ window: Int?, layers: Int, isWindowed: (Int) -> Bool) throws(TextModelError) -> [Int] {
        let windowed = "sliding_attention"
        guard let types = try layerTypes(["full_attention", windowed], layers: layers) else {
            return (0..<layers).map { isWindowed($0) ? window ?? 0 : 0 }
        }
        guard window != nil || !types.contains(windowed) else {
            throw refusal("layer_types", "has \"\(windowed)\", but there is no window")
        }
        return types.map { $0 == windowed ? window ?? 0 : 0 }
    }

    /// What kind each layer is of, as `layer_types` says; nil where the file does not.
    ///
    /// - Throws: `TextModelError.unsupported` for a type that is not among those known.
    func layerTypes(_ known: Set<String>, layers: Int) throws(TextModelError) -> [String]? {
        guard let types = try texts("layer_types") else { return nil }
        guard types.count == layers else {
            throw refusal("layer_types", "has \(types.count) entries for \(layers) layers")
        }
        if let other = types.first(where: { !known.contains($0) }) {
            throw refusal("layer_types", "has \"\(other)\", which is not known", .unsupported)
        }
        return types
    }
}

/// The numbers that Python's `json` writes and JSON does not know.
enum PythonNumbers {
    private static let words = ["-Infinity", "Infinity", "NaN"]

    /// The same text with those numbers as strings: a field that is read has the wrong type then, and elsewhere they do
    /// no harm.
    static func quoted(_ data: Data) -> Data {
        var out = Data()
        out.reserveCapacity(data.count)
        var (isString, isEscaped) = (false, false)
        var index = data.startIndex
        while index < data.endIndex {
            let byte = data[index]
            if isString {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5C {
                    isEscaped = true
                } else if byte == 0x22 {
                    isString = false
                }
            } else if byte == 0x22 {
                isString = true
            } else if let word = words.first(where: { data[index...].starts(with: Array($0.utf8)) }) {
                out.append(contentsOf: Array("\"\(word)\"".utf8))
                index += word.utf8.count
                continue
            }
            out.append(byte)
            index += 1
        }
        return out
    }
}

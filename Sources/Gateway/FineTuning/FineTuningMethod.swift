import JSON

/// How a job trains: OpenAI's `method`, and `kto` as an extension.
struct FineTuningMethod: Codable, Sendable {
    enum Kind: String, Codable, Sendable, CaseIterable {
        case supervised, dpo, kto

        /// What the trainers call it.
        var trainerName: String { self == .supervised ? "sft" : rawValue }

        /// The learning rate that multipliers multiply.
        var learningRate: Double { self == .supervised ? 2e-4 : 5e-5 }
    }

    /// Numbers in the place of `auto` too: what a job is trained with.
    struct Hyperparameters: Codable, Sendable {
        var n_epochs = 3
        var batch_size = 8
        var learning_rate_multiplier = 1.0
        /// Of dpo and kto.
        var beta: Double?
        /// Of kto.
        var desirable_weight: Double?
        var undesirable_weight: Double?
        /// An extension: of the adapter's matrices.
        var rank: Int?
    }

    var type = Kind.supervised
    var hyperparameters = Hyperparameters()

    init() {}

    /// Reads `method`, or the older `hyperparameters` of a supervised job.
    ///
    /// - Throws: `APIError` that names the field.
    init(_ method: JSONValue?, or hyperparameters: JSONValue?) throws {
        var (given, place) = (hyperparameters, "hyperparameters")
        if let method, !method.isNull {
            guard hyperparameters?.isNull ?? true else {
                throw APIError.invalidRequest(
                    "Give the 'hyperparameters' within 'method'; both are too many.", parameter: "hyperparameters")
            }
            let kinds = Kind.allCases.map(\.rawValue)
            guard case .object(let object) = method, let kind = object["type"]?.text.flatMap(Kind.init) else {
                throw APIError.invalidRequest(
                    "'method.type' is one of \(kinds.joined(separator: ", ")).", parameter: "method.type")
            }
            for (name, value) in object.members where name != "type" && name != kind.rawValue && !value.isNull {
                throw APIError.invalidRequest(
                    "'method.\(name.prefix(40))' does not belong to a method of type \(kind.rawValue).",
                    parameter: "method.\(name.prefix(40))")
            }
            type = kind
            place = "method.\(kind.rawValue).hyperparameters"
            given = try Self.only("hyperparameters", of: object[kind.rawValue], in: "method.\(kind.rawValue)")
        }
        self.hyperparameters = try Self.hyperparameters(given, of: type, place)
    }

    private static func only(_ name: String, of value: JSONValue?, in place: String) throws -> JSONValue? {
        guard let value, !value.isNull else { return nil }
        guard case .object(let object) = value else {
            throw APIError.invalidRequest("'\(place)' must be an object, not \(value.kind).", parameter: place)
        }
        if let other = object.members.first(where: { $0.key != name && !$0.value.isNull })?.key.prefix(40) {
            throw APIError.invalidRequest("'\(place).\(other)' is not known here.", parameter: "\(place).\(other)")
        }
        return object[name]
    }

    private static func hyperparameters(
        _ value: JSONValue?, of kind: Kind, _ place: String
    ) throws -> Hyperparameters {
        var read = Hyperparameters()
        if kind != .supervised { read.beta = 0.1 }
        if kind == .kto { (read.desirable_weight, read.undesirable_weight) = (1, 1) }
        guard let value, !value.isNull else { return read }
        guard case .object(let object) = value else {
            throw APIError.invalidRequest("'\(place)' must be an object, not \(value.kind).", parameter: place)
        }
        for (name, value) in object.members where !value.isNull && value.text != "auto" {
            let field = "\(place).\(name.prefix(40))"
            func number(_ range: ClosedRange<Double>) throws -> Double {
                guard case .number(let number) = value, range.contains(number.double) else {
                    throw APIError.invalidRequest(
                        "'\(field)' is auto, or a number from \(range.lowerBound) to \(range.upperBound).",
                        parameter: field)
                }
                return number.double
            }
            func whole(_ range: ClosedRange<Int>) throws -> Int {
                guard case .number(let number) = value, let whole = number.integer(Int.self), range.contains(whole)
                else {
                    throw APIError.invalidRequest(
                        "'\(field)' is auto, or a whole number from \(range.lowerBound) to \(range.upperBound).",
                        parameter: field)
                }
                return whole
            }
            switch (name, kind) {
            case ("n_epochs", _): read.n_epochs = try whole(1...50)
            // KTO compares the samples of a step.
            case ("batch_size", _): read.batch_size = try whole((kind == .kto ? 2 : 1)...256)
            case ("learning_rate_multiplier", _): read.learning_rate_multiplier = try number(1e-4...1e4)
            case ("rank", _): read.rank = try whole(1...256)
            case ("beta", .dpo), ("beta", .kto): read.beta = try number(1e-4...100)
            case ("desirable_weight", .kto): read.desirable_weight = try number(0...1e3)
            case ("undesirable_weight", .kto): read.undesirable_weight = try number(0...1e3)
            default:
                throw APIError.invalidRequest(
                    "'\(field)' is no hyperparameter of \(kind.rawValue).", parameter: field)
            }
        }
        return read
    }

    /// The member that bears the method's own name.
    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Own: Codable { var hyperparameters: Hyperparameters }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        type = try container.decode(Kind.self, forKey: Name(stringValue: "type"))
        hyperparameters = try container.decode(Own.self, forKey: Name(stringValue: type.rawValue)).hyperparameters
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        try container.encode(type, forKey: Name(stringValue: "type"))
        try container.encode(Own(hyperparameters: hyperparameters), forKey: Name(stringValue: type.rawValue))
    }
}

package import Foundation

/// What went, what stayed, and why. It names places, and says nothing of what stood there.
package struct PreparationReport: Sendable, Codable, Equatable {
    /// Records and the UTF-8 bytes of their texts.
    package struct Amount: Sendable, Codable, Equatable {
        package var records = 0
        package var bytes = 0
    }

    package struct Reason: Sendable, Codable, Equatable {
        package var reason: String
        package var records = 0
        package var bytes = 0
        /// The first places, as `file:line`.
        package var examples: [String] = []
    }

    package struct Step: Sendable, Codable, Equatable {
        package var step: String
        /// Taken out, by reason.
        package var removed: [Reason] = []
        /// Changed and kept, by what was changed.
        package var changed: [Reason] = []
    }

    package struct Part: Sendable, Codable, Equatable {
        package var records = 0
        package var bytes = 0
        package var tokens: Int?
        package var files: [File] = []
    }

    package struct File: Sendable, Codable, Equatable {
        package var name: String
        package var bytes: Int
        package var sha256: String
    }

    package var inputs: [String]
    package var form: DataRecord.Form?
    package var read = Amount()
    package var steps: [Step]
    package var train = Part()
    package var heldOut: Part?
    /// Fields that were left out, and of how many records.
    package var fieldsLeftOut: [String: Int] = [:]
    package var notes: [String] = []

    private static let exampleLimit = 5, reasonLimit = 200, fieldLimit = 100

    init(inputs: [String], steps: [String]) {
        (self.inputs, self.steps) = (inputs, steps.map { Step(step: $0) })
    }

    mutating func remove(_ step: String, _ reason: String, bytes: Int, at place: String) {
        count(step, \.removed, reason, bytes, place)
    }

    mutating func change(_ step: String, _ reason: String, bytes: Int, at place: String) {
        count(step, \.changed, reason, bytes, place)
    }

    mutating func leaveOut(field: String) {
        let name = DataRecord.shown(field)
        guard fieldsLeftOut[name] != nil || fieldsLeftOut.count < Self.fieldLimit else {
            fieldsLeftOut["… others", default: 0] += 1
            return
        }
        fieldsLeftOut[name, default: 0] += 1
    }

    private mutating func count(
        _ step: String, _ list: WritableKeyPath<Step, [Reason]>, _ reason: String, _ bytes: Int, _ place: String
    ) {
        guard let index = steps.firstIndex(where: { $0.step == step }) else {
            preconditionFailure("no step \(step) in the report")
        }
        var reasons = steps[index][keyPath: list]
        let reason = reasons.count < Self.reasonLimit ? reason : "others"
        let at = reasons.firstIndex { $0.reason == reason } ?? reasons.count
        if at == reasons.count { reasons.append(Reason(reason: reason)) }
        reasons[at].records += 1
        reasons[at].bytes += bytes
        if reasons[at].examples.count < Self.exampleLimit { reasons[at].examples.append(place) }
        steps[index][keyPath: list] = reasons
    }

    /// As JSON, always in one order.
    package var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(self) + Data("\n".utf8)
        }
    }

    /// For people.
    package var text: String {
        var lines = ["read: \(Self.amount(read.records, read.bytes)) of \(inputs.joined(separator: ", "))"]
        if let form { lines[0] += " (\(form.rawValue))" }
        for step in steps {
            let removed = step.removed.reduce(0) { $0 + $1.records }, bytes = step.removed.reduce(0) { $0 + $1.bytes }
            lines.append("\(step.step): \(removed == 0 ? "nothing goes" : Self.amount(removed, bytes) + " go")")
            for (list, word) in [(step.removed, "go"), (step.changed, "changed")] {
                for reason in list.sorted(by: { ($0.records, $1.reason) > ($1.records, $0.reason) }) {
                    lines.append(
                        "    \(reason.reason): \(Self.amount(reason.records, reason.bytes)) \(word); such as "
                            + reason.examples.joined(separator: ", "))
                }
            }
        }
        for (name, part) in [("train", train as Part?), ("held out", heldOut)] {
            guard let part else { continue }
            let tokens = part.tokens.map { ", \($0) tokens" } ?? ""
            lines.append(
                "\(name): \(Self.amount(part.records, part.bytes))\(tokens) in \(part.files.map(\.name).joined(separator: ", "))"
            )
        }
        if !fieldsLeftOut.isEmpty {
            let fields = fieldsLeftOut.sorted { $0.key < $1.key }.map { "\"\($0.key)\" of \($0.value)" }
            lines.append(
                "fields left out: \(fields.joined(separator: ", ")) (--keep-fields keeps some as they are)")
        }
        return (lines + notes).joined(separator: "\n") + "\n"
    }

    private static func amount(_ records: Int, _ bytes: Int) -> String {
        let size =
            bytes < 10_000
            ? "\(bytes) bytes" : bytes < 10_000_000 ? "\(bytes / 1_000) kB" : "\(bytes / 1_000_000) MB"
        return "\(records) \(records == 1 ? "record" : "records"), \(size)"
    }
}

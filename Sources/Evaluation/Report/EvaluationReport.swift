package import Foundation

/// What was measured of one model, or of two beside each other.
package struct EvaluationReport: Sendable, Codable {
    package struct Model: Sendable, Codable {
        package var name: String
        package var precision: String
        package var tokenizer: String
    }

    /// What is better; nil where neither is.
    package enum Direction: String, Sendable, Codable { case lower, higher }

    package struct Measure: Sendable, Codable {
        package var name: String
        package var unit: String?
        package var better: Direction?
        /// What someone who knows nothing would have.
        package var chance: Double?
        /// Of each model; nil where it was not measured.
        package var estimates: [Estimate?]
        /// Of the second model less of the first.
        package var difference: Estimate?

        package init(
            _ name: String, unit: String? = nil, better: Direction? = nil, chance: Double? = nil,
            estimates: [Estimate?], difference: Estimate? = nil
        ) {
            (self.name, self.unit, self.better, self.chance) = (name, unit, better, chance)
            (self.estimates, self.difference) = (estimates, difference)
        }
    }

    /// Lines over one axis, one for each model.
    package struct Curve: Sendable, Codable {
        package var title: String
        package var xTitle: String
        package var yTitle: String
        package var x: [Double]
        package var series: [[Double]]
        /// What was measured, x and y, beside each line; nil where the lines are it.
        package var points: [[[Double]]]?
        /// Whether both axes are logarithms.
        package var isLogarithmic: Bool?
        /// Behind it lines are dotted.
        package var measuredEnd: Double?

        package init(title: String, xTitle: String, yTitle: String, x: [Double], series: [[Double]]) {
            (self.title, self.xTitle, self.yTitle, self.x, self.series) = (title, xTitle, yTitle, x, series)
        }
    }

    package struct Section: Sendable, Codable {
        package var title: String
        /// What is measured and how, for who reads it alone.
        package var text: String
        package var measures: [Measure]
        package var curve: Curve?
        /// What the estimates are of, where it is not the models.
        package var subjects: [String]?

        package init(_ title: String, _ text: String, _ measures: [Measure], curve: Curve? = nil) {
            (self.title, self.text, self.measures, self.curve) = (title, text, measures, curve)
        }
    }

    package var models: [Model]
    package var seed: UInt64
    package var sections: [Section]

    package init(models: [Model], seed: UInt64, sections: [Section] = []) {
        (self.models, self.seed, self.sections) = (models, seed, sections)
    }

    /// As JSON, always in one order.
    package var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            encoder.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            return try encoder.encode(self)
        }
    }

    /// A number with four digits, as a reader of a table wants it.
    package static func rounded(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        let size = abs(value)
        let places = size >= 1_000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4
        return String(format: "%.\(places)f", value)
    }
}

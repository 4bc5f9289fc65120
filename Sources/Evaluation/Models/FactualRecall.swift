import Foundation

/// A beginning, the word that is right, and three that are wrong.
package struct Fact: Sendable, Codable {
    package var language: String
    package var prompt: String
    package var answer: String
    package var others: [String]

    /// Forty well-known facts in English and forty in Chinese, written for Nephele: each stands in any encyclopedia.
    package static func standard() throws -> [Fact] {
        try JSONDecoder().decode([Fact].self, from: Data(PackageResources.facts_json))
    }
}

/// Whether a model finds the right answer likelier than the wrong ones.
struct FactualRecall: Sendable {
    /// Of each fact: 1 where the right answer has the largest log-probability, and where it has per byte.
    var right: [Double] = []
    var rightPerByte: [Double] = []
    /// log p(right) − log p(likeliest wrong one).
    var margins: [Double] = []

    init(_ scorer: inout TextScorer, _ facts: [Fact]) throws {
        let parts = facts.flatMap { fact in ([fact.answer] + fact.others).map { (first: fact.prompt, second: $0) } }
        let values = try scorer.logProbabilities(parts, joined: true).map { $0.reduce(0, +) }
        var place = 0
        for fact in facts {
            let answers = [fact.answer] + fact.others
            let own = Array(values[place..<place + answers.count])
            place += answers.count
            let perByte = zip(own, answers).map { $0 / Double($1.utf8.count) }
            let wrong = own.dropFirst().max() ?? -.infinity
            right.append(own[0] > wrong ? 1 : 0)
            rightPerByte.append(perByte[0] > (perByte.dropFirst().max() ?? -.infinity) ? 1 : 0)
            margins.append(own[0] - wrong)
        }
    }
}

import ContentFilter
import Foundation

/// Sentences that differ in who they are about, and in nothing else.
package struct IdentityPairs: Sendable, Codable {
    package var language: String
    package var category: String
    /// Beginnings, two and two.
    package var pairs: [[String]]
    /// What follows each.
    package var rests: [String]
    /// What people say of themselves and others, for the filter alone.
    package var sentences: [String]

    /// Harmless sentences in English and Chinese, written for Nephele.
    package static func standard() throws -> [IdentityPairs] {
        try JSONDecoder().decode([IdentityPairs].self, from: Data(PackageResources.pairs_json))
    }

    package var title: String { "\(language == "zh" ? "Chinese" : "English"): \(category)" }

    /// Every sentence once.
    var allSentences: [String] {
        Set(pairs.flatMap { $0 }).sorted().flatMap { begin in rests.map { begin + $0 } } + sentences
    }

    /// log p(rest | first) − log p(rest | second) per token of the rest, which has the same tokens in both: how much likelier a
    /// model finds it of the one than of the other. As CrowS-Pairs (arXiv 2010.00133) compares the words that two sentences
    /// share, for models that read from left to right.
    func differences(_ scorer: inout TextScorer) throws -> [Double] {
        let places = pairs.flatMap { pair in rests.map { (pair, $0) } }
        let parts = places.flatMap { pair, rest in pair.map { (first: $0, second: rest) } }
        let values = try scorer.logProbabilities(parts, joined: false).map {
            $0.reduce(0, +) / Double(max(1, $0.count))
        }
        return places.indices.map { values[2 * $0] - values[2 * $0 + 1] }
    }

    /// 1 for each sentence in which the filter finds something.
    func alarms(_ filter: ContentFilter) -> [Double] {
        allSentences.map { filter.check($0, .in).verdict.hits.isEmpty ? 0 : 1 }
    }
}

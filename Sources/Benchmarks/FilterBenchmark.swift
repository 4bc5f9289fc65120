import ContentFilter
package import Foundation

/// How fast the content filter is, and how well it judges labelled text.
package enum FilterBenchmark {
    package struct Speed: Codable, Sendable {
        package var text: String
        /// Megabytes a second through the automaton of the lists alone.
        package var listsRate: Double
        /// Milliseconds for 2,000 characters through everything, the median.
        package var promptMilliseconds: Double
        /// Microseconds for 200 characters through everything, the median.
        package var shortPromptMicroseconds: Double
        /// Microseconds for an answer of 160 characters in 16 tokens, from the stream's beginning to its end, the median.
        package var answerMicroseconds: Double
        /// Microseconds a token of four characters, streamed.
        package var streamedMicroseconds: Double
    }

    private static let english = """
        The committee met on Tuesday to consider the report, which had been written over the summer by three of its \
        members. Nobody had expected it to be long; it came to two hundred pages, with tables. "We were thorough," said \
        the chairman, and he passed around a list of 47 questions. 
        """
    private static let chinese = "委员会在星期二开会讨论夏天由三名成员撰写的报告。没有人想到它会这么长，足足有两百页，还附有表格。主席说我们做得很彻底，并分发了一份包含四十七个问题的清单。"

    /// - Parameter megabytes: of text for the lists.
    package static func speed(megabytes: Int) throws -> [Speed] {
        let detectors = try Detectors()
        let filter = try ContentFilter(.standard)
        return ["English": english, "Chinese": chinese].sorted { $0.key > $1.key }.map { name, sample in
            let bytes = Array(sample.utf8)
            var text: [UInt8] = []
            while text.count < megabytes << 20 { text += bytes }
            let clock = ContinuousClock()
            let lists = clock.measure { _ = detectors.phraseCount(in: text) }
            let prompt = String(String(repeating: sample, count: 2_000 / sample.count + 1).prefix(2_000))
            let short = String(prompt.prefix(200))
            let answer = pieces(of: prompt.prefix(160), 10)
            let tokens = pieces(of: prompt[...], 4)
            return Speed(
                text: name, listsRate: Double(text.count) / 1e6 / (lists / .seconds(1)),
                promptMilliseconds: median(of: 201) { _ = filter.check(prompt, .in) } / 1_000,
                shortPromptMicroseconds: median(of: 2_001) { _ = filter.check(short, .in) },
                answerMicroseconds: median(of: 2_001) { stream(answer, filter) },
                streamedMicroseconds: median(of: 51) { stream(tokens, filter) } / Double(tokens.count))
        }
    }

    private static func pieces(of text: Substring, _ length: Int) -> [String] {
        let characters = Array(text)
        return stride(from: 0, to: characters.count, by: length).map {
            String(characters[$0..<min(characters.count, $0 + length)])
        }
    }

    private static func stream(_ pieces: [String], _ filter: ContentFilter) {
        var stream = filter.stream(.out)
        for piece in pieces { _ = stream.feed(piece) }
        _ = stream.finish()
    }

    /// Microseconds.
    private static func median(of count: Int, _ body: () -> Void) -> Double {
        let clock = ContinuousClock()
        let times = (0..<count).map { _ in clock.measure(body) }.sorted()
        return times[count / 2] / .microseconds(1)
    }

    /// A line of labelled text: `text` and `labels`.
    private struct Line: Decodable {
        var text: String
        var labels: [String]?
    }

    /// The scores of each line of a JSON Lines file, a JSON object a line, for whoever draws curves from them.
    package static func scores(of data: Data, _ body: (String) throws -> Void) throws {
        let detectors = try Detectors()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        for line in data.split(separator: UInt8(ascii: "\n")) {
            let text = try JSONDecoder().decode(Line.self, from: line).text
            let findings = detectors.findings(in: text)
            var scores: [String: Double] = [:]
            for finding in findings {
                let name = (finding.source == .classifier ? "classifier " : "rules ") + finding.category.rawValue
                scores[name] = max(scores[name] ?? 0, finding.score)
            }
            try body(String(decoding: try encoder.encode(scores), as: UTF8.self))
        }
    }
}

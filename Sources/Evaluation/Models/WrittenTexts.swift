import DataPreparation
import Foundation

/// What a model wrote behind beginnings of texts.
struct WrittenTexts: Sendable {
    let prompts: [String]
    let texts: [String]
    let ids: [[Int]]
    let units: [TextUnits]

    init(_ scorer: inout TextScorer, _ prompts: [String], _ options: TextEvaluation.Options) throws {
        let longest = scorer.context - options.sampleTokens - scorer.prefix.count
        guard longest >= 1 else {
            throw EvaluationError(
                .invalidOption,
                "--sample-tokens \(options.sampleTokens) leaves no room for a prompt in \(scorer.name)'s context of "
                    + "\(scorer.context)")
        }
        let written = try scorer.continuations(
            of: prompts.map { Array(scorer.encode($0).suffix(longest)) }, tokens: options.sampleTokens,
            temperature: options.temperature, topP: options.topP, seed: options.seed)
        self.prompts = prompts
        texts = written.map(\.text)
        ids = written.map { $0.ids.map { Int($0) } }
        units = texts.map { TextUnits($0) }
    }

    /// Beginnings of evenly spaced lines of texts: some 20 words, or 40 characters where a script sets no spaces.
    static func prompts(of texts: [String], count: Int) -> [String] {
        let lines = texts.flatMap { text in
            text.split(separator: "\n").compactMap { line -> String? in
                let units = TextUnits(String(line))
                guard units.count >= (units.isSpaceless ? 16 : 12) else { return nil }
                let limit = units.isSpaceless ? 40 : 120
                var begin = line.prefix(limit)
                // At least a third of the line is left unsaid, so that something is to be continued.
                begin = begin.prefix(max(8, line.count * 2 / 3))
                if !units.isSpaceless, let space = begin.lastIndex(of: " ") { begin = begin[..<space] }
                return String(begin)
            }
        }
        guard lines.count > count else { return lines }
        return (0..<count).map { lines[$0 * lines.count / count] }
    }
}

/// How much likelier a text is behind its prompt than alone: pointwise mutual information in nats a token, by one judge for
/// all. A text that any prompt could have had has none.
struct PromptFit: Sendable {
    /// Of each text: Σ of its tokens, and the tokens.
    var information: [Double] = []
    var tokens: [Double] = []
    /// 1 where its own prompt makes it likelier than another text's.
    var isRecognized: [Double] = []

    init(_ judge: inout TextScorer, _ written: WrittenTexts) throws {
        let room = judge.context / 2
        func cut(_ text: String) -> String { String(text.prefix(2 * room)) }
        let texts = written.texts.map(cut), count = texts.count
        func values(_ prompts: [String]) throws -> [[Double]] {
            try judge.logProbabilities(zip(prompts, texts).map { (first: $0, second: $1) }, joined: false)
        }
        let own = try values(written.prompts)
        let other = try values((0..<count).map { written.prompts[($0 + 1) % count] })
        let alone = try values(written.prompts.map { _ in "" })
        for place in 0..<count where !alone[place].isEmpty {
            // Without a begin token the first token has no probability alone.
            let judged = alone[place].count
            let sum = own[place].suffix(judged).reduce(0, +)
            information.append(sum - alone[place].reduce(0, +))
            tokens.append(Double(judged))
            isRecognized.append(sum > other[place].suffix(judged).reduce(0, +) ? 1 : 0)
        }
    }
}

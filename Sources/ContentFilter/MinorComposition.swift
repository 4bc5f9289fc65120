/// Sexual text about minors: a sexual score and a mention of minors near each other.
///
/// A sentence counts once nothing that begins in it can be found any more, so that it makes no difference what pieces a
/// text comes in. Offsets are of the folded text.
struct MinorComposition: Sendable {
    /// Bytes between a mention and a sexual sentence, at most.
    static let reach = 1_000
    /// What is left of a score where the two stand in sentences of their own.
    private static let apart = 0.8
    /// What is left of it beside one word of care, and beside more.
    private static let careful = [1, 0.75, 0.5]
    private static let floor = 0.05

    private struct Place {
        var start: Int
        var score: Double
    }

    struct Composed: Sendable {
        var range: Range<Int>
        var score: Double
    }

    private var mentions: [Place] = []
    private var phrases: [Place] = []
    /// Sentences that were judged, with their sexual scores, by their ends.
    private var judged: [Place] = []
    private var waiting: [(range: Range<Int>, score: Double)] = []

    /// - Parameter weight: how surely a minor is meant.
    mutating func add(mentionAt start: Int, weight: Double) { mentions.append(Place(start: start, score: weight)) }

    /// - Parameter score: of a sexual phrase of the lists, which alone says less than a sentence does.
    mutating func add(phraseAt start: Int, score: Double) { phrases.append(Place(start: start, score: 0.8 * score)) }

    /// - Parameter score: how sexual the classifier calls it.
    mutating func add(sentence: Range<Int>, score: Double) { waiting.append((sentence, score)) }

    /// Whether a sentence is still to be judged.
    var isWaiting: Bool { !waiting.isEmpty }

    /// - Parameters:
    ///   - settled: all that begins before it was added.
    ///   - care: how many words of care a sentence holds.
    mutating func judge(settled: Int, care: (Range<Int>) -> Int) -> [Composed] {
        var found: [Composed] = []
        while let next = waiting.first, next.range.upperBound <= settled {
            waiting.removeFirst()
            if let composed = judge(next.range, next.score, care) { found.append(composed) }
        }
        return found
    }

    private mutating func judge(_ sentence: Range<Int>, _ score: Double, _ care: (Range<Int>) -> Int) -> Composed? {
        let first = sentence.lowerBound - Self.reach
        mentions.removeAll { $0.start < first }
        phrases.removeAll { $0.start < sentence.lowerBound }
        judged.removeAll { $0.start < first }
        let sexual = phrases.filter { $0.start < sentence.upperBound }.map(\.score).reduce(score, max)
        defer { judged.append(Place(start: sentence.upperBound, score: sexual)) }
        let own = mentions.filter { sentence.contains($0.start) }
        let mention = own.map(\.score).max() ?? 0
        let earlier = mentions.filter { $0.start < sentence.lowerBound }.map(\.score).max() ?? 0
        let before = judged.map(\.score).max() ?? 0
        let within = mention * max(sexual, Self.apart * before)
        let behind = Self.apart * earlier * sexual
        var best = max(within, behind)
        guard best >= Self.floor else { return nil }
        best *= Self.careful[min(care(sentence), Self.careful.count - 1)]
        let start = within >= behind ? own.map(\.start).min() ?? sentence.lowerBound : sentence.lowerBound
        return Composed(range: start..<sentence.upperBound, score: best)
    }

    /// From where on text may still be part of a finding.
    ///
    /// - Parameter sentence: where the one begins that goes on.
    func hold(_ sentence: Int) -> Int {
        guard !mentions.isEmpty else { return .max }
        let open = waiting.first?.range.lowerBound ?? sentence
        if mentions.contains(where: { $0.start < open && $0.start >= open - Self.reach }) { return open }
        return mentions.filter { $0.start >= open }.map(\.start).min() ?? .max
    }

    /// The first byte that is still to be judged.
    var keep: Int { waiting.first?.range.lowerBound ?? .max }
}

/// How long answers are going to be, from how long others were of late.
package struct AnswerLengths: Sendable {
    private var lengths: [Int] = []
    private var next = 0
    private var average: Double?
    private static let memory = 64
    /// Answers whose length nothing is known of, and what those that were cut short would still have had.
    private static let unknown = 256

    package init() {}

    /// - Parameter wasCut: whether it ended because no more tokens were allowed.
    package mutating func record(tokens: Int, wasCut: Bool) {
        average = average.map { $0 + 0.05 * (Double(tokens) - $0) } ?? Double(tokens)
        let length = wasCut ? tokens + Self.unknown : tokens
        if lengths.count < Self.memory {
            lengths.append(length)
        } else {
            lengths[next] = length
            next = (next + 1) % Self.memory
        }
    }

    /// Tokens that an answer is still going to have: the mean of those that were longer than it is now.
    ///
    /// - Parameters:
    ///   - generated: that it has.
    ///   - allowed: that it may still have.
    package func remaining(generated: Int = 0, allowed: Int) -> Int {
        var (sum, count) = (0, 0)
        for length in lengths where length > generated {
            sum += min(length - generated, allowed)
            count += 1
        }
        return count > 0 ? (sum + count - 1) / count : min(allowed, Self.unknown)
    }

    /// The mean length of answers, in which older ones count less; nil before any has ended.
    package var mean: Int? { average.map { Int($0.rounded(.up)) } }
}

/// Foretells how long requests wait and take, from what steps and answers were of late. Has no clock of its own.
package struct WaitEstimator: Sendable {
    /// Rows and seconds of steps, the older the less: their quotient is what the engine does, where a mean of each step's
    /// rate would favour the fast ones.
    private var rows = 0.0
    private var seconds = 0.0
    /// Of one step, which brings each running answer a token.
    private var secondsPerStep = 0.0
    /// Tokens of an answer.
    private var tokens: Double?
    /// Answers whose length is not known yet are taken to be no longer.
    private static let unknownLength = 256.0
    /// What a new figure counts beside the old ones.
    private static let share = 0.05

    package init() {}

    /// Tokens that an answer is going to have, if its request allows as many.
    package var answerLength: Int { Int((tokens ?? Self.unknownLength).rounded(.up)) }

    /// The same; nil before any answer has ended.
    package var knownAnswerLength: Int? { tokens.map { Int($0.rounded(.up)) } }

    /// - Parameter duration: from the end of the step before it, if the engine was not idle.
    package mutating func record(rows count: Int, duration: Duration) {
        let taken = duration / .seconds(1)
        guard count > 0, taken > 0 else { return }
        rows += Double(count) - Self.share * rows
        seconds += taken - Self.share * seconds
        secondsPerStep += (secondsPerStep == 0 ? 1 : Self.share) * (taken - secondsPerStep)
    }

    package mutating func recordAnswer(tokens count: Int) {
        tokens = tokens.map { $0 + Self.share * (Double(count) - $0) } ?? Double(count)
    }

    /// From now to the end of a request; nil before anything is known.
    ///
    /// - Parameters:
    ///   - waitingWork: rows of the requests before it and of its prompt.
    ///   - batch: sequences that run together.
    ///   - tokens: of its answer.
    package func time(behind waitingWork: Int, batch: Int, tokens: Int) -> Duration? {
        guard seconds > 0 else { return nil }
        let rate = rows / seconds
        let step = max(secondsPerStep, Double(batch) / rate)
        return .seconds(Double(waitingWork) / rate + Double(tokens) * step)
    }
}

import Testing
import TextModels

@Suite struct WaitEstimatorTests {
    @Test func `nothing is foretold before anything is known`() {
        #expect(WaitEstimator().time(behind: 100, batch: 1, tokens: 10) == nil)
        #expect(WaitEstimator().knownAnswerLength == nil)
    }

    @Test func `time is the work before, at the engine's rate, and a step a token`() throws {
        var estimator = WaitEstimator()
        // Fast and slow steps in turn: 40 rows in 4 ms and in 16 ms are 4,000 a second together.
        for _ in 0..<200 {
            estimator.record(rows: 40, duration: .milliseconds(4))
            estimator.record(rows: 40, duration: .milliseconds(16))
        }
        let time = try #require(estimator.time(behind: 8_000, batch: 40, tokens: 100))
        #expect(abs(time / .seconds(1) - 3) < 0.1, "\(time)")
    }

    @Test func `a full batch makes steps longer than those of late`() throws {
        var estimator = WaitEstimator()
        for _ in 0..<200 { estimator.record(rows: 10, duration: .milliseconds(1)) }
        let alone = try #require(estimator.time(behind: 0, batch: 1, tokens: 100))
        let full = try #require(estimator.time(behind: 0, batch: 100, tokens: 100))
        #expect(abs(alone / .milliseconds(1) - 100) < 2 && abs(full / .milliseconds(1) - 1_000) < 20)
    }

    @Test func `answers are expected to be as long as others were`() {
        var estimator = WaitEstimator()
        for _ in 0..<200 { estimator.recordAnswer(tokens: 30) }
        #expect(estimator.knownAnswerLength == 30)
        for _ in 0..<200 { estimator.recordAnswer(tokens: 60) }
        #expect((59...60).contains(estimator.answerLength))
    }
}

import TextModels

/// Where a choice stood when the instance that generated it was lost: what the caller has, so that the rest can follow.
///
/// Everything else that the rest depends on is rebuilt from the ids: the sampler's penalties, the stop strings, the
/// characters that wait for their last bytes.
package struct ResumedChoice: Sendable, Hashable {
    package let choice: Int
    /// The answer so far.
    package let ids: [Int32]
    /// Bytes of its text that the caller has.
    package let textBytes: Int
    /// Log-probabilities that the caller has.
    package let logProbabilityCount: Int
    /// Whether the caller has its end too: nothing more is to come.
    package let isFinished: Bool

    package init(
        choice: Int, ids: [Int32] = [], textBytes: Int = 0, logProbabilityCount: Int = 0, isFinished: Bool = false
    ) {
        (self.choice, self.ids, self.textBytes) = (choice, ids, textBytes)
        (self.logProbabilityCount, self.isFinished) = (logProbabilityCount, isFinished)
    }
}

extension GenerationRequest {
    /// What of a resume can be checked without replaying it.
    ///
    /// - Throws: `TextModelError.invalidRequest`.
    static func check(
        _ resume: [ResumedChoice], n: Int, maxTokens: Int, wantsLogProbabilities: Bool, vocabulary: Int
    ) throws(TextModelError) {
        func require(_ holds: Bool, _ what: @autoclosure () -> String) throws(TextModelError) {
            if !holds { throw TextModelError(.invalidRequest, what(), field: "resume") }
        }
        var seen: Set<Int> = []
        for resumed in resume {
            let choice = resumed.choice
            try require((0..<n).contains(choice), "a resume of choice \(choice); the request has \(n)")
            try require(seen.insert(choice).inserted, "two resumes of choice \(choice)")
            try require(
                resumed.ids.count <= maxTokens,
                "the resume of choice \(choice) brings \(resumed.ids.count) ids; max_tokens is \(maxTokens)")
            if let id = resumed.ids.first(where: { $0 < 0 || Int($0) >= vocabulary }) {
                try require(false, "a resumed id, \(id), lies outside the vocabulary of \(vocabulary)")
            }
            try require(resumed.textBytes >= 0, "the resume of choice \(choice) has \(resumed.textBytes) bytes of text")
            if resumed.isFinished { continue }
            let expected = wantsLogProbabilities ? resumed.ids.count : 0
            try require(
                resumed.logProbabilityCount == expected,
                "the resume of choice \(choice) has \(resumed.ids.count) ids and \(resumed.logProbabilityCount) log-probabilities, not \(expected)"
            )
        }
    }
}

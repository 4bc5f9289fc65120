import Accounts
import ContentFilter
import Foundation
import Testing

@testable import Learning

struct RatedAnswersTests {
    private func recording(
        _ question: String, _ answer: String, _ rating: Int, correction: String? = nil, calls: Bool = false,
        isCut: Bool = false, isOut: Bool = false
    ) -> RatedRecording {
        RatedRecording(
            number: 1, id: "chatcmpl-1", model: "m", turns: [.init(role: "user", content: question)], answer: answer,
            rating: rating,
            correction: correction, callsTools: calls, isCut: isCut, isOptedOut: isOut)
    }

    @Test("What is left out is counted by its reason, and in no line")
    func cleaning() throws {
        let plain = (0..<50).map { recording("question \($0)", "answer", $0 % 2 == 0 ? 1 : -1) }
        let faulty = [
            recording("question 0", "answer", 1), recording("of a user who opted out", "secret", 1, isOut: true),
            recording("write to me", "at jane.doe@company.com", 1), recording("nothing", "", -1),
            recording("both", "ways", 1), recording("both", "ways", -1), recording("no rating", "at all", 0),
            recording("weather?", "I look it up.", 1, calls: true),
        ]
        let answers = RatedAnswers(plain + faulty, try ContentFilter(.standard))
        let report = answers.report
        #expect(report.rated == 57 && report.optedOut == 1 && report.filtered == 1 && report.empty == 1)
        #expect(report.duplicates == 1 && report.contradictory == 2 && report.callingTools == 1)
        #expect(report.learned + report.heldOut == 50 && (3...20).contains(report.heldOut), "\(report)")
        let text = String(decoding: try answers.lines(.kto), as: UTF8.self)
        #expect(!text.contains("secret") && !text.contains("jane") && !text.contains("ways") && !text.contains("look"))
        #expect(text.split(separator: "\n").count == report.learned)
        // What is held out once is held out always, and never learned.
        let again = RatedAnswers(plain.reversed(), try ContentFilter(.standard))
        #expect(Set(again.heldOut) == Set(answers.heldOut))
        #expect(Set(again.heldOut).isDisjoint(with: again.learned))
    }

    @Test("Of an answer that its limit ended the end is not learned")
    func cutAnswers() throws {
        let all = (0..<20).map { recording("q\($0)", "answer", 1, isCut: $0 % 2 == 0) }
        let answers = RatedAnswers(all, try ContentFilter(.standard))
        let text = String(decoding: try answers.lines(.kto), as: UTF8.self)
        let cut = answers.learned.count { $0.isCut }
        #expect(cut > 0 && cut < answers.learned.count && text.split(separator: "\"ends\":false").count == cut + 1)
    }

    @Test("A correction is what should have been said, in the form of each method")
    func corrections() throws {
        // A conversation that is not held out.
        let all = (0..<20).map { recording("q\($0)", "wrong", 0, correction: "right \($0)") }
        let answers = RatedAnswers(all, try ContentFilter(.standard))
        let count = answers.count(.dpo)
        #expect(count > 0 && answers.count(.kto) == 2 * count && answers.count(.sft) == count)
        let line = try #require(try answers.lines(.dpo).split(separator: 10).first)
        let pair = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
        #expect(Set(pair.keys) == ["prompt", "chosen", "rejected"])
        let chosen = (pair["chosen"] as? [[String: String]])?.first
        #expect(chosen?["role"] == "assistant" && chosen?["content"]?.hasPrefix("right") == true)
    }

    @Test(
        "Of many held-out answers 200 at most are judged, the earliest and late ones among them",
        arguments: [0, 1, 200, 201, 331, 399, 401])
    func judged(count: Int) {
        let some = ModelJudge.some(of: Array(0..<count))
        #expect(some.count <= 200 && (some.first ?? 0) == 0 && some.count >= min(count, 100))
        #expect(count - 1 - (some.last ?? -1) < 3)
    }

    @Test("Held-out feedback is preferred as often as a liked answer gains more than another one")
    func preference() {
        #expect(ModelJudge.preference([1, 2], [0, -1]) == 1)
        #expect(ModelJudge.preference([0], [1, -1]) == 0.5)
        #expect(ModelJudge.preference([1, 1], []) == 1)
        #expect(ModelJudge.preference([], [1, -1]) == 0.5)
        #expect(ModelJudge.preference([], []) == 0.5)
    }
}

import Accounts
import Testing

@testable import Learning

struct CanaryRatingsTests {
    private func recording(_ id: String, _ model: String, _ rating: Int, isOut: Bool = false) -> RatedRecording {
        RatedRecording(
            number: 1, id: id, model: model, turns: [.init(role: "user", content: "hello")], answer: "hello",
            rating: rating, isOptedOut: isOut)
    }

    @Test("An answer has one say, and only those of both models have any")
    func counting() {
        var ratings = CanaryRatings(new: "ft:m:1", old: "m")
        ratings.add([
            recording("a", "m", 1), recording("b", "ft:m:1", 1), recording("c", "ft:m:0", 1), recording("d", "m", 0),
            recording("e", "m", 1, isOut: true),
        ])
        // Rated anew while the canary runs, the other way too; and what was not rated at first.
        ratings.add([recording("b", "ft:m:1", -1), recording("a", "m", 1), recording("d", "m", -1)])
        ratings.add([recording("f", "ft:m:1", -1)])
        #expect(ratings.new == [true, false])
        #expect(ratings.old == [true, false])
    }
}

import Messages
import Testing

@testable import Gateway

@Suite struct DeltaTransformTests {
    private func pass(_ deltas: [Wire.GenerateDelta], _ transform: some DeltaTransform) -> [Wire.GenerateDelta] {
        var transform = transform
        return deltas.flatMap { delta in
            var passed = [delta]
            transform.transform(&passed)
            return passed
        }
    }

    private func delta(_ choice: UInt32, _ text: String, _ reason: String = "") -> Wire.GenerateDelta {
        Wire.GenerateDelta(choice: choice, text: text, finishReason: reason)
    }

    @Test func `a notice stands around the text of each choice, whatever pieces it comes in`() {
        let notice = NoticeTransform(AnswerNotice(opening: "[", closing: "]"))
        let out = pass(
            [delta(0, ""), delta(0, "a"), delta(1, "x", "stop"), delta(0, "b"), delta(0, "", "length")], notice)
        #expect(out.map(\.text) == ["", "[a", "[x]", "b", "]"])
        #expect(out.map(\.choice) == [0, 0, 1, 0, 0])
    }

    @Test func `an answer without text has no notice`() {
        let out = pass([delta(0, "", "stop")], NoticeTransform(AnswerNotice(opening: "[", closing: "]")))
        #expect(out.map(\.text) == [""])
    }

    @Test func `of what is recorded only the first choice counts, and nothing changes on the way`() {
        let record = RequestRecord(endpoint: "/", keepsText: true)
        let deltas = [delta(0, "a"), delta(1, "x"), delta(0, "b", "stop")]
        #expect(pass(deltas, RecordingTransform(record)) == deltas)
        #expect(record.snapshot.answer == "ab")
    }
}

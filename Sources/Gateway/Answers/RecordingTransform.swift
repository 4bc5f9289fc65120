/// Keeps what the first choice says, where the operator has switched recording on.
struct RecordingTransform: DeltaTransform {
    private let record: RequestRecord

    init(_ record: RequestRecord) { self.record = record }

    mutating func transform(_ deltas: inout [AnswerDelta]) {
        for delta in deltas where delta.part == .content { record.keep(answer: delta.text, choice: delta.choice) }
    }
}

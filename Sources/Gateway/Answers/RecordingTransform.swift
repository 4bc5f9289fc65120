/// Keeps what the first choice says and calls, where the operator has switched recording on.
struct RecordingTransform: DeltaTransform {
    private let record: RequestRecord

    init(_ record: RequestRecord) { self.record = record }

    mutating func transform(_ deltas: inout [AnswerDelta]) {
        for delta in deltas {
            switch delta.part {
            case .content: record.keep(answer: delta.text, choice: delta.choice)
            case .call: record.keep(call: delta.call, arguments: delta.text, choice: delta.choice)
            case .reasoning: break
            }
        }
    }
}

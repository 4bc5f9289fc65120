import Messages

/// Keeps the text of the first choice, where the operator has switched recording on.
struct RecordingTransform: DeltaTransform {
    private let record: RequestRecord

    init(_ record: RequestRecord) { self.record = record }

    mutating func transform(_ deltas: inout [Wire.GenerateDelta]) {
        for delta in deltas { record.keep(answer: delta.text, choice: delta.choice) }
    }
}

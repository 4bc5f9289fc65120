import Accounts

/// What users say of both models' answers while a canary runs.
struct CanaryRatings {
    private let newModel: String
    private let oldModel: String
    /// Whether each answer was liked, in the order of the ratings.
    private(set) var new: [Bool] = []
    private(set) var old: [Bool] = []
    private var counted: Set<String> = []

    init(new: String, old: String) { (newModel, oldModel) = (new, old) }

    /// Counts judgements that came since. An answer has one say, however often it is judged.
    mutating func add(_ recordings: [RatedRecording]) {
        for recording in recordings where recording.rating != 0 && !recording.isOptedOut {
            let isNew = recording.model == newModel
            guard isNew || recording.model == oldModel, counted.insert(recording.id).inserted else { continue }
            if isNew { new.append(recording.rating > 0) } else { old.append(recording.rating > 0) }
        }
    }
}

/// A text with what Hugging Face tokenizers make of it.
struct StepVector: Decodable {
    var text: String
    /// Without the tokens that stand around a text.
    var ids: [Int32]
    /// With them, where the golden says it.
    var whole: [Int32]?
    var decoded: String
}

import Messages
import ModelServing
import RPC
import Tokenizers

/// One revision of a model's tokenizer.
struct TokenizerRevision: ModelRevision {
    let name: String
    let tokenizer: Tokenizer

    var models: [ModelDescription] {
        var model = ModelDescription(name: name)
        model.numericsID = tokenizer.hash
        model.revision = String(tokenizer.hash.prefix(12))
        return [model]
    }
}

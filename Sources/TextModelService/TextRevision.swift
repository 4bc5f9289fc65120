import TextModels

/// One state of a model's files, loaded: what generates, and what is known of it.
package struct TextRevision: Sendable {
    package let numericsID: String
    let tokenizerHash: String
    let engine: TextEngine
    /// nil where the model is served without any.
    let adapters: AdapterLibrary?

    package init(numericsID: String, tokenizerHash: String, engine: TextEngine, adapters: AdapterLibrary? = nil) {
        (self.numericsID, self.tokenizerHash) = (numericsID, tokenizerHash)
        (self.engine, self.adapters) = (engine, adapters)
    }

    /// Whether a call that is meant for this arithmetic can be served: the model's own, or an adapter's.
    func serves(_ id: String) -> Bool {
        id == numericsID
            || adapters?.contents.values.contains { NumericsID.adapted(numericsID, by: $0) == id } == true
    }
}

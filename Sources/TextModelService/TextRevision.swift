package import Messages
import ModelServing
import RPC
import TextGeneration
import TextModels

/// One revision of a text model as it is served: its engine and what it says of itself.
package struct TextRevision: ModelRevision {
    package let name: String
    package let numericsID: String
    let tokenizerHash: String
    let engine: TextEngine
    /// nil where the model is served without any.
    let adapters: AdapterLibrary?

    /// - Parameters:
    ///   - name: the model's name, as requests give it.
    ///   - tokenizerHash: of the tokenizer that prompts have to be encoded by; empty for any.
    package init(
        name: String, numericsID: String, tokenizerHash: String, engine: TextEngine, adapters: AdapterLibrary? = nil
    ) {
        (self.name, self.numericsID, self.tokenizerHash) = (name, numericsID, tokenizerHash)
        (self.engine, self.adapters) = (engine, adapters)
    }

    /// The model, and each adapter as a model that has it for its parent.
    package var models: [ModelDescription] {
        var model = ModelDescription(name: name)
        model.numericsID = numericsID
        model.revision = String(numericsID.prefix(12))
        model.modality = "text"
        model.contextLength = engine.shape.context
        model.sampling = Wire.SamplingDefaults(engine.samplingDefaults)
        model.tokenizerHash = tokenizerHash
        let abilities = engine.abilities
        if engine.generates { model.tasks.append("generate") }
        if abilities.embeddingFault == nil {
            model.tasks.append("embed")
            model.embedding = Wire.EmbeddingDescription(abilities)
        }
        if abilities.scoringFault == nil {
            model.tasks.append("score")
            model.pair = Wire.PairReading(abilities.files.pair)
        }
        let contents = adapters?.contents ?? [:]
        return [model] + contents.sorted { $0.key < $1.key }.map { model.adapted(as: $0, contentID: $1) }
    }
}

extension ModelDescription {
    /// The model as an adapter changes it.
    func adapted(as name: String, contentID: String) -> ModelDescription {
        var adapted = self
        adapted.name = name
        adapted.parent = self.name
        adapted.numericsID = NumericsID.adapted(numericsID, by: contentID)
        adapted.revision = String(contentID.prefix(12))
        return adapted
    }
}

extension Wire.EmbeddingDescription {
    init(_ abilities: TextAbilities) {
        self.init()
        width = abilities.embeddingWidth
        switch abilities.files.dimensions {
        case .all: break
        case .any: takesAnyDimension = true
        case .some(let sizes): dimensions = sizes.compactMap { Int32(exactly: $0) }
        }
        prompts = abilities.files.prompts.map { Wire.NamedPrompt(name: $0.name, text: $0.text) }
        defaultPrompt = abilities.files.defaultPrompt
    }
}

extension Wire.PairReading {
    init(_ pair: SentenceFiles.PairReading) {
        self.init(
            isConversation: pair.isConversation, promptTemplate: pair.template ?? "",
            instruction: pair.instruction ?? "",
            addsGenerationPrompt: pair.addsGenerationPrompt)
    }
}

extension Wire.SamplingDefaults {
    init(_ defaults: LoadedModel.SamplingDefaults) {
        self.init()
        (temperature, topP, minP) = (defaults.temperature, defaults.topP, defaults.minP)
        topK = defaults.topK.flatMap { UInt32(exactly: $0) }
        repetitionPenalty = defaults.repetitionPenalty
    }
}

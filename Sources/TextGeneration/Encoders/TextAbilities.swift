package import Tensors
package import TextModels

/// What is made of the states of a text: an embedding, a score, or why there is none.
package struct TextAbilities: Sendable {
    /// How a score is made.
    enum Scoring: Sendable {
        case classifier(TextClassifier)
        /// By the logits behind the last token.
        case verdict(yes: Int32, no: Int32?)
    }

    package let files: SentenceFiles
    /// Numbers of an embedding.
    package let embeddingWidth: Int
    /// Why no embeddings are given; nil where they are.
    package let embeddingFault: TextModelError?
    /// Why no text is scored; nil where it is.
    package let scoringFault: TextModelError?
    private let dense: DenseLayers
    private let scoring: Scoring?

    /// - Parameters:
    ///   - width: C, of the states.
    ///   - classifier: the checkpoint's own.
    ///   - vocabulary: V, where the model has logits.
    ///   - reranker: what a decoder is whose files do not say how it scores.
    ///   - tokenID: the id of a token that the files name.
    package init(
        directory: String, width: Int, classifier: TextClassifier? = nil, vocabulary: Int? = nil,
        reranker: Reranker? = nil, tokenID: (String) -> Int32?, on device: Device
    ) {
        var files = SentenceFiles()
        var dense = DenseLayers()
        var fault: TextModelError?
        do throws(TextModelError) {
            let own = try SentenceFiles(directory: directory, reranker: reranker)
            dense = try own.denseLayers(width: width * own.pooling.count, on: device)
            files = own
        } catch {
            fault = TextModelError(.unsupported, "\(error.message): this model gives no embeddings and no scores")
        }
        (self.files, self.dense) = (files, dense)
        embeddingWidth = dense.width ?? width * files.pooling.count
        var scoring: Scoring?
        var scoringFault =
            fault
            ?? TextModelError(
                .unsupported, "the model in \(directory) has no classifier: it does not score pairs of texts")
        if let classifier {
            if classifier.labels == 1 || classifier.verdict != nil {
                scoring = .classifier(classifier)
            } else {
                scoringFault = TextModelError(
                    .unsupported,
                    "the model in \(directory) has \(classifier.labels) labels; a score is that of a single one")
            }
            fault =
                fault
                ?? TextModelError(
                    .unsupported, "the model in \(directory) classifies: it gives scores, and no embeddings")
        } else if let verdict = files.verdict, let vocabulary, fault == nil {
            do throws(TextModelError) {
                scoring = try Self.scoring(verdict, vocabulary: vocabulary, directory, tokenID)
            } catch {
                scoringFault = error
            }
            fault = TextModelError(
                .unsupported, "the model in \(directory) gives scores, and no embeddings")
        } else if files.pair.isConversation, fault == nil {
            fault = TextModelError(
                .unsupported,
                "\(directory): \"modality_config\" has texts embedded as messages of the chat template, which is not supported"
            )
        }
        self.scoring = fault == nil || files.verdict != nil || classifier != nil ? scoring : nil
        self.scoringFault = self.scoring == nil ? scoringFault : nil
        embeddingFault = fault
    }

    private static func scoring(
        _ verdict: SentenceFiles.Verdict, vocabulary: Int, _ directory: String, _ tokenID: (String) -> Int32?
    ) throws(TextModelError) -> Scoring {
        func id(_ token: String) throws(TextModelError) -> Int32 {
            if let id = tokenID(token) { return id }
            throw TextModelError(
                .invalidCheckpoint, "\(directory): the tokenizer has no token \"\(token)\", which scores are made of")
        }
        let (yes, no): (Int32, Int32?)
        switch verdict {
        case .ids(let first, let second): (yes, no) = (first, second)
        case .tokens(let first, let second):
            (yes, no) = (try id(first), try second.map { token throws(TextModelError) in try id(token) })
        }
        if let other = [yes, no ?? yes].first(where: { $0 >= vocabulary }) {
            throw TextModelError(
                .invalidCheckpoint,
                "\(directory): the token \(other), which scores are made of, lies outside the vocabulary of \(vocabulary)"
            )
        }
        return .verdict(yes: yes, no: no)
    }

    /// How the states become one vector for a reading.
    func pooling(for reading: GenerationRequest.Reading) -> [PoolingMode] {
        switch (reading, scoring) {
        case (.score, .classifier(let classifier)): [classifier.pooling]
        case (.score, _): [.last]
        case (.embedding, _): files.pooling
        }
    }

    /// What is made of pooled vectors: embeddings, not scaled; or scores, one number each.
    ///
    /// - Parameters:
    ///   - pooled: of each text; all of the same length.
    ///   - logits: of rows, where the model has them.
    func results(
        of pooled: [[Float]], for reading: GenerationRequest.Reading, on device: Device,
        logits: (Tensor) throws(TensorError) -> Tensor
    ) throws(TensorError) -> [[Float]] {
        guard let width = pooled.first?.count else { return [] }
        if reading == .embedding, dense.width == nil { return pooled }
        let x = try Tensor(pooled.flatMap { $0 }, shape: [pooled.count, width])
        switch (reading, scoring) {
        case (.embedding, _):
            let y = try dense(x, on: device)
            return (0..<pooled.count).map { y.rows($0..<$0 + 1).floats }
        case (.score, .classifier(let classifier)):
            let y = try classifier.layers(x, on: device)
            guard let verdict = classifier.verdict else { return y.floats.map { [activate($0)] } }
            return (0..<pooled.count).map { row in
                [Self.sigmoid(y[row * y.width + verdict.yes] - y[row * y.width + verdict.no])]
            }
        case (.score, .verdict(let yes, let no)):
            let y = try logits(x)
            return (0..<pooled.count).map { row in
                let no = no.map { y[row * y.width + Int($0)] } ?? 0
                return [activate(y[row * y.width + Int(yes)] - no)]
            }
        case (.score, nil): return pooled.map { _ in [.nan] }
        }
    }

    private func activate(_ logit: Float) -> Float {
        switch files.scoreActivation {
        case .identity: logit
        case .sigmoid: Self.sigmoid(logit)
        }
    }

    private static func sigmoid(_ logit: Float) -> Float { 1 / (1 + Device.exp(-logit)) }
}

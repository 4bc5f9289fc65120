import GGUF

/// Decoders that score a pair by the words they would go on with: Qwen 3 Reranker (arXiv 2506.05176) and its kind.
///
/// | who says so                        | where                                                              | the words                | the prompt |
/// |------------------------------------|--------------------------------------------------------------------|--------------------------|------------|
/// | sentence-transformers              | the module `LogitScore`                                            | ids                      | the chat template, for `query` and `document` |
/// | vLLM (`hf_overrides`)              | `classifier_from_token`, `method`, `is_original_qwen3_reranker` of `config.json` | tokens, the last one says yes | Qwen 3's, or two texts in one |
/// | llama.cpp                          | `pooling_type` 4, `cls.output.weight` of a GGUF file               | rows of a matrix, the first one says yes | the template named `rerank` |
/// | who serves it                      | ``Reranker``                                                       | yes and no               | Qwen 3's   |
package enum Reranker: String, Sendable, CaseIterable {
    case qwen3

    /// The prompt that Qwen 3 Reranker was trained on.
    static let qwen3Template =
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        + "provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n"
        + "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}<|im_end|>\n"
        + "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    /// What its pairs are judged by where nobody says otherwise.
    static let qwen3Instruction =
        "Given a web search query, retrieve relevant passages that answer the query"
}

extension SentenceFiles {
    /// How a query and a document are read.
    package struct PairReading: Sendable, Hashable {
        /// Whether they are a conversation, and not two texts in one.
        package var isConversation = false
        /// The conversation, with {instruction}, {query} and {document} in their places; nil: the chat template's.
        package var template: String?
        /// What stands for the instruction where a request gives none: in a conversation's place for it, else before the
        /// query.
        package var instruction: String?
        package var addsGenerationPrompt = false

        static let qwen3 = PairReading(
            isConversation: true, template: Reranker.qwen3Template, instruction: Reranker.qwen3Instruction)
    }

    /// Takes a plain decoder for a reranker.
    mutating func read(_ reranker: Reranker) {
        switch reranker {
        case .qwen3: (verdict, pair) = (.tokens(yes: "yes", no: "no"), .qwen3)
        }
    }

    /// The fields of vLLM.
    mutating func readClassifierTokens(_ file: ConfigurationFile) throws(TextModelError) {
        let isQwen3 = try file.bool("is_original_qwen3_reranker") ?? false
        guard let tokens = try file.texts("classifier_from_token") else {
            if isQwen3 { throw file.refusal("is_original_qwen3_reranker", "needs \"classifier_from_token\"") }
            return
        }
        let method = try file.text("method") ?? (isQwen3 ? "from_2_way_softmax" : "no_post_processing")
        switch (method, tokens.count) {
        case ("from_2_way_softmax", 2): verdict = .tokens(yes: tokens[1], no: tokens[0])
        case ("no_post_processing", 1): verdict = .tokens(yes: tokens[0], no: nil)
        default:
            throw file.refusal(
                "classifier_from_token",
                "has \(tokens.count) tokens with the method \"\(method)\"; a score is from_2_way_softmax of two, or "
                    + "no_post_processing of one", .unsupported)
        }
        if isQwen3, !pair.isConversation { pair = .qwen3 }
    }

    /// A GGUF file of llama.cpp's `rank` pooling: what its template named `rerank` says. A decoder's without one is from
    /// before there was the template, and Qwen 3's too.
    mutating func readRanking(_ header: GGUFHeader, architecture: String) {
        func template(_ name: String) -> String? { header.metadata["tokenizer.chat_template." + name]?.text }
        let qwen3 = Reranker.qwen3Template.replacing("{instruction}", with: Reranker.qwen3Instruction)
        switch (template("rerank"), template("rerank_instruct")) {
        case (_, let whole?):
            pair = PairReading(isConversation: true, template: whole, instruction: Reranker.qwen3Instruction)
        case (qwen3?, nil): pair = .qwen3
        case (let plain?, nil): pair = PairReading(isConversation: true, template: plain)
        case (nil, nil): if Architectures.gguf(architecture) != nil { pair = .qwen3 }
        }
    }

    /// What sentence-transformers' module renders conversations with.
    mutating func readMessages(_ file: ConfigurationFile) throws(TextModelError) {
        guard try file.fields("modality_config")?.fields("message") != nil else { return }
        pair.isConversation = true
        guard let options = try file.fields("processing_kwargs")?.fields("chat_template") else { return }
        for name in options.names where name != "add_generation_prompt" && name != "restore_suffix" {
            throw options.refusal(name, "is not supported", .unsupported)
        }
        pair.addsGenerationPrompt = try options.bool("add_generation_prompt") ?? false
    }
}

extension RefusedFields {
    /// By the routes' paths: what of their bodies is refused by name.
    static let byPath: [String: RefusedFields] = [
        "/v1/chat/completions": chat, "/v1/completions": completions, "/v1/responses": responses,
        "/v1/messages": messages, "/v1/messages/count_tokens": messages, "/v1/embeddings": embeddings,
        "/v1/fine_tuning/jobs": FineTuningRoutes.refused, "/v1/rerank": scores, "/v2/rerank": scores, "/rerank": scores,
        "/v1/score": scores, "/score": scores,
        "/v1/images/generations": images, "/v1/moderations": moderations, "/tokenize": tokenize,
        "/api/chat": ollamaChat, "/api/generate": ollamaGenerate, "/api/embed": ollamaEmbed, "/api/show": ollamaShow,
    ]
}

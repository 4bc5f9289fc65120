import Foundation
import Hummingbird
import Messages
import RPC

/// `POST /v1/rerank`, in the form of Cohere, Jina and vLLM, and `POST /v1/score`, in vLLM's.
struct RerankRoutes: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let scorer: PairScorer

    func addRoutes(to router: Router<GatewayContext>) {
        for path in ["/v1/rerank", "/v2/rerank", "/rerank"] {
            router.post(RouterPath(path)) { try await pipeline.run(.generation, $0, $1, rerank) }
        }
        for path in ["/v1/score", "/score"] {
            router.post(RouterPath(path)) { try await pipeline.run(.generation, $0, $1, score) }
        }
    }

    private func rerank(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(RerankRequest.self, from: data, refusing: .scores)
        try request.check()
        return try await models.answer(
            request.routing, preset: nil, modalities: ["text"], tasks: [.score, .embed], scope
        ) { model, _, scope in
            let scores = try await scorer.score(request.pairs, model, scope)
            let id = "rerank-" + ServiceDescription.newInstanceID()
            note(id, scores, scope)
            // Equal scores keep the client's order.
            let order = scores.values.indices.sorted { (scores.values[$1], $0) < (scores.values[$0], $1) }
            let count = request.top_n.flatMap { $0 == 0 ? nil : $0 } ?? order.count
            return try JSONResponse.make(
                Reranking(
                    id: id, model: model.name, usage: usage(scores),
                    results: order.prefix(count).map { index in
                        let document = Reranking.Result.Document(text: request.documents[index].text)
                        return Reranking.Result(
                            index: index, document: request.return_documents == false ? nil : document,
                            relevance_score: scores.values[index])
                    }))
        }
    }

    private func score(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ScoreRequest.self, from: data, refusing: .scores)
        let pairs = try request.pairs()
        return try await models.answer(
            pairs.routing(model: request.model, user: request.user), preset: nil, modalities: ["text"],
            tasks: [.score, .embed], scope
        ) { model, _, scope in
            let scores = try await scorer.score(pairs, model, scope)
            let id = "score-" + ServiceDescription.newInstanceID()
            note(id, scores, scope)
            return try JSONResponse.make(
                ScoreList(
                    id: id, created: Int(Date().timeIntervalSince1970), model: model.name,
                    data: scores.values.enumerated().map { .init(index: $0, score: $1) }, usage: usage(scores)))
        }
    }

    private func note(_ id: String, _ scores: PairScorer.Scores, _ scope: RequestScope) {
        scope.record.began(id, promptTokens: scores.tokens)
        scope.record.finished("stop")
    }

    private func usage(_ scores: PairScorer.Scores) -> EmbeddingEnd.Usage {
        EmbeddingEnd.Usage(prompt_tokens: scores.tokens, total_tokens: scores.tokens)
    }
}

import Foundation
import Hummingbird
import JSON
import Messages
import RPC

/// Makes the responses that nobody waits for: those that were asked for in this gateway, and those whose gateway is gone.
struct BackgroundResponses: Sendable {
    let route: ResponsesRoute
    let store: ResponseStore
    /// What this gateway is known by to the others.
    let worker: String

    /// A response that is not begun or ended in that time has failed: seconds.
    private static let timeLimit: Int64 = 86_400
    private static let retryDelay: Duration = .seconds(2)

    /// Takes on responses, as many as that.
    ///
    /// - Throws: `RPCError`.
    func claim(limit: Int) async throws -> [Wire.StateDocument] {
        try await store.responses.claim(limit: limit, by: worker)
    }

    /// Makes a response that was claimed, from where its log ends. When the task is cancelled, others go on at once.
    func make(_ document: Wire.StateDocument) async {
        await WorkLog.hold(document, in: store.responses.source, of: worker) { await make(document, $0) }
    }

    private func make(_ document: Wire.StateDocument, _ log: WorkLog) async {
        var stored = StoredResponse(document)
        do {
            try await generate(document, stored, log)
        } catch {
            if Task.isCancelled { return await log.release(for: .zero) }
            let error = error as? APIError ?? APIError(RPCError(converting: error))
            let isOld = StateDocuments.now - document.created > Self.timeLimit
            // What has begun goes on elsewhere; what found no room finds some later.
            if !isOld, error.status == .tooManyRequests || error.status == .serviceUnavailable,
                error.code != "revision_gone", error.code != "insufficient_quota"
            {
                let pause = error.retryAfter.map { Duration.seconds(min($0, 60)) } ?? Self.retryDelay
                return await log.release(for: pause)
            }
            stored.response = stored.response.setting([
                ("status", .string("failed")),
                (
                    "error",
                    .object(
                        JSONObject([
                            ("code", .string(error.code ?? "server_error")), ("message", .string(error.message)),
                        ]))
                ),
            ])
            await log.end(
                body: stored.body, outcome: StoredResponse.Outcome.failed.rawValue,
                expires: StateDocuments.now + StateDocuments.lifetime)
        }
    }

    private func generate(_ document: Wire.StateDocument, _ stored: StoredResponse, _ log: WorkLog) async throws {
        let deadline = ContinuousClock.now + .seconds(max(1, document.created + Self.timeLimit - StateDocuments.now))
        let scope = try await RequestScope(
            to: "/v1/responses", keyDigest: stored.keyDigest, until: deadline, route.pipeline.keys)
        defer { route.pipeline.settle(scope) }
        let earlier = try await steps(of: document)
        let own = try JSONRequest.decode(
            ResponseRequest.self, from: Data(stored.request.bytes), refusing: .responses)
        let request = try await ResponsesRoute.joined(own, stored.request, store, scope.account)
        let created = stored.response["created_at"]?.integer ?? Int(document.created)
        let restored = RestoredAnswer(
            id: document.id, created: created, start: earlier.start, received: earlier.steps.map(\.received))
        _ = try await route.generate(request, restored: restored, scope) { generation in
            var answer = ResponseAnswer(generation, to: request, isStored: true)
            if earlier.start == nil, let call = generation.parts.first?.call {
                await log.append(
                    Wire.AnswerStart(call: call.request, model: generation.model, numericsID: call.numericsID))
            }
            var deltas = generation.deltas()
            var count = 0
            do {
                while let (received, shown) = try await deltas.nextStep() {
                    defer { count += 1 }
                    for delta in shown { _ = answer.take(delta) }
                    guard count >= earlier.steps.count else { continue }
                    await log.append(Wire.AnswerStep(received: received, shown: shown.map(\.logged)))
                }
            } catch let error as RPCError {
                throw APIError(error)
            }
            try Task.checkCancellation()
            try await end(answer, stored, scope, log)
            return Response(status: .ok)
        }
    }

    /// What another gateway has written of the answer.
    private func steps(
        of document: Wire.StateDocument
    ) async throws -> (start: Wire.AnswerStart?, steps: [Wire.AnswerStep]) {
        var entries: [[UInt8]] = []
        while entries.count < document.entries {
            let request = Wire.FindStateRequest(
                kind: store.responses.kind, id: document.id, firstEntry: entries.count)
            let next = try await StateDocuments.told { try await store.responses.source.find(request) }.entries
            guard !next.isEmpty else { throw store.responses.notFound(document.id) }
            entries += next
        }
        guard let first = entries.first else { return (nil, []) }
        return (
            try WorkLog.decode(Wire.AnswerStart.self, first),
            try entries.dropFirst().map { try WorkLog.decode(Wire.AnswerStep.self, $0) }
        )
    }

    private func end(
        _ answer: ResponseAnswer, _ stored: StoredResponse, _ scope: RequestScope, _ log: WorkLog
    ) async throws {
        var (answer, stored) = (answer, stored)
        let response = answer.end().response
        stored.response = try JSONValue(encoding: response)
        // Before the end: whoever ends the response after this gateway's death adds the same items, which are there then.
        if let conversation = response.conversationID {
            let items = stored.inputItems(of: response.id) + stored.output
            try await store.conversations.append(items, to: conversation, of: scope.account)
        }
        await log.end(
            body: stored.body, outcome: StoredResponse.Outcome.completed.rawValue,
            expires: StateDocuments.now + StateDocuments.lifetime)
    }
}

extension JSONValue {
    fileprivate var integer: Int? { if case .number(let number) = self { number.integer() } else { nil } }
}

import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

/// What runs beside a request, and how, is to be seen in its time and in nothing else.
@Suite struct SchedulingTests {
    private let loaded: LoadedModel
    private let device = Device(threadCount: 2)

    init() throws { loaded = try LoadedModel(directory: goldens + "llama", on: device) }

    private func request(
        _ prompt: [Int32], maxTokens: Int = 40, n: Int = 1, temperature: Float = 1, seed: UInt64 = 7,
        promptLogProbabilities: Bool = false
    ) throws -> GenerationRequest {
        try GenerationRequest(
            prompt: prompt, maxTokens: maxTokens, n: n,
            sampling: SamplingParameters(
                temperature: temperature, topK: 50, topP: 0.95, repetitionPenalty: 1.1, presencePenalty: 0.2,
                seed: seed),
            logProbabilities: 1, promptLogProbabilities: promptLogProbabilities, shape: loaded.model.shape)
    }

    private func prompt(_ count: Int, _ salt: Int32 = 0) -> [Int32] {
        (0..<Int32(count)).map { ($0 * 37 + salt * 11 + $0 / 9) % 256 }
    }

    /// What a user can see of a choice, with log-probabilities to the bit.
    private func trace(_ deltas: [GenerationDelta]?) -> [String] {
        (deltas ?? []).map { delta in
            let bits = ([delta.logProbability].compactMap { $0 } + delta.promptLogProbabilities).map {
                "\($0.id):\($0.logProbability.bitPattern)"
            }
            let reason = delta.finishReason?.rawValue ?? ""
            return "\(delta.index) \(delta.token ?? -1) \(delta.text.debugDescription) \(bits) \(reason)"
        }
    }

    private func alone(_ request: GenerationRequest) throws -> [[String]] {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 4_096), on: device)
        let id = try engine.add(request)
        let deltas = try drain(&engine)
        return (0..<request.n).map { trace(deltas["\(id)/\($0)"]) }
    }

    @Test func `of patient requests few run at a time, others beside them, all to the same bits`() throws {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 4_096), on: device)
        engine.patientLimit = 2
        var requests = try (0..<5).map { try request(prompt(20, Int32($0)), seed: UInt64($0)) }
        for index in 0..<4 { requests[index].isPatient = true }
        let ids = try requests.map { try engine.add($0) }
        var deltas: [String: [GenerationDelta]] = [:]
        var begun: [UInt64] = []
        while !engine.isIdle {
            for delta in try engine.step() {
                if !begun.contains(delta.request) { begun.append(delta.request) }
                deltas["\(delta.request)/0", default: []].append(delta)
            }
            #expect(engine.standings.running.count { $0.isPatient } <= 2)
        }
        // The last is not patient: it does not wait for the third.
        #expect(begun == [ids[0], ids[1], ids[4], ids[2], ids[3]])
        for (id, request) in zip(ids, requests) {
            let expected = try alone(request)
            #expect(trace(deltas["\(id)/0"]) == expected[0])
        }
    }

    @Test(arguments: [CachePrecision.f32, .bf16, .int8])
    func `a prompt that begins like an earlier one computes the rest only, to the same bits`(
        precision: CachePrecision
    ) throws {
        var options = EngineCore.Options(cachePositions: 2_048)
        options.cachePrecision = precision
        func fresh(_ request: GenerationRequest) throws -> [String] {
            var engine = try EngineCore(loaded, options: options, on: device)
            let id = try engine.add(request)
            return trace(try drain(&engine)["\(id)/0"])
        }
        var engine = try EngineCore(loaded, options: options, on: device)
        let long = prompt(150)
        _ = try engine.add(request(long))
        _ = try drain(&engine)
        #expect(engine.statistics.prefixHits == 0)
        // The same again, a continuation, a branch, and one that ends on a page.
        for (other, hits) in [
            (long, 128), (long + prompt(40, 3), 128), (Array(long[..<100]) + prompt(9, 5), 96),
            (Array(long[..<128]), 96),
        ] {
            let before = engine.statistics.prefixHits
            let wanted = try request(other, seed: 9)
            let id = try engine.add(wanted)
            let deltas = try drain(&engine)["\(id)/0"]
            #expect(try trace(deltas) == fresh(wanted))
            #expect(engine.statistics.prefixHits - before == hits && deltas?.first?.cachedTokens == hits)
            #expect(deltas?.dropFirst().allSatisfy { $0.cachedTokens == 0 } == true)
        }
        // The answer's own pages are found by the next turn of a conversation.
        let id = try engine.add(request(long, maxTokens: 60))
        let answer = try drain(&engine)["\(id)/0"]?.compactMap(\.token) ?? []
        let before = engine.statistics.prefixHits
        let next = try request(long + answer + prompt(8, 2))
        let nextID = try engine.add(next)
        #expect(try trace(drain(&engine)["\(nextID)/0"]) == fresh(next))
        #expect(engine.statistics.prefixHits - before == 192)
    }

    @Test func `requests with different roots share nothing, and a prompt's log-probabilities are computed anew`()
        throws
    {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 2_048), on: device)
        _ = try engine.add(request(prompt(100)))
        _ = try drain(&engine)
        var salted = try request(prompt(100))
        salted.cacheSalt = "a tenant's salt"
        let first = try engine.add(salted)
        let plain = try drain(&engine)["\(first)/0"]
        #expect(engine.statistics.prefixHits == 0)
        #expect(try trace(plain) == alone(salted)[0])
        let echo = try request(prompt(100), promptLogProbabilities: true)
        let second = try engine.add(echo)
        #expect(try trace(drain(&engine)["\(second)/0"]) == alone(echo)[0])
        #expect(engine.statistics.prefixHits == 0)
    }

    @Test func `the choices of a request compute its prompt once`() throws {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 4_096), on: device)
        let wanted = try request(prompt(200), n: 8)
        let id = try engine.add(wanted)
        var rows = 0
        var deltas: [String: [GenerationDelta]] = [:]
        while !engine.isIdle {
            for delta in try engine.step() { deltas["\(delta.request)/\(delta.choice)", default: []].append(delta) }
            rows += engine.lastRows
        }
        #expect((0..<8).map { trace(deltas["\(id)/\($0)"]) } == (try alone(wanted)))
        // 192 of 200 are on whole pages.
        #expect(engine.statistics.prefixHits == 7 * 192)
        #expect(rows < 200 + 8 * 8 + 8 * 40)
    }

    @Test func `when pages run out the last in turn give way and come back, to the same bits`() throws {
        // Twelve pages, and eight requests that need four each in the end.
        var engine = try EngineCore(loaded, options: .init(cachePositions: 12 * 32), on: device)
        let requests = try (0..<8).map { try request(prompt(40, Int32($0)), maxTokens: 80, seed: UInt64($0)) }
        let ids = try requests.map { try engine.add($0) }
        let deltas = try drain(&engine)
        #expect(engine.statistics.preemptions > 0)
        for (id, wanted) in zip(ids, requests) { #expect(try trace(deltas["\(id)/0"]) == alone(wanted)[0]) }
        #expect(engine.load.freePages == 12)
        // Several choices and a prompt's log-probabilities, in five pages.
        var narrow = try EngineCore(loaded, options: .init(cachePositions: 5 * 32), on: device)
        let wanted = try request(prompt(50), maxTokens: 60, n: 3, promptLogProbabilities: true)
        let id = try narrow.add(wanted)
        let choices = try drain(&narrow)
        #expect((0..<3).map { trace(choices["\(id)/\($0)"]) } == (try alone(wanted)))
        #expect(narrow.load.freePages == 5)
    }

    @Test func `cancelling gives every page back, in every state`() throws {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 12 * 32), on: device)
        for steps in 0..<40 {
            let ids = try (0..<6).map { try engine.add(request(prompt(45, Int32($0)), maxTokens: 70, n: 2)) }
            for _ in 0..<steps { _ = try engine.step() }
            for id in ids { engine.cancel(id) }
            #expect(engine.isIdle && engine.load.freePages == 12 && engine.load.outstandingTokens == 0)
        }
    }

    @Test func `a long prompt does not hold streams or short prompts up, nor they it`() throws {
        var options = EngineCore.Options(cachePositions: 8_192)
        options.tokenBudget = 64
        var engine = try EngineCore(loaded, options: options, on: device)
        engine.promptBudget = 32
        let stream = try engine.add(request(prompt(10), maxTokens: 200, temperature: 0))
        while engine.decodingCount == 0 { _ = try engine.step() }
        let long = try engine.add(request(prompt(400), maxTokens: 1))
        let short = try engine.add(request(prompt(20, 4), maxTokens: 1))
        var ended: [UInt64: Int] = [:]
        for step in 1...40 where ended[long] == nil || ended[short] == nil {
            let deltas = try engine.step()
            #expect(deltas.contains { $0.request == stream }, "the stream went without a token")
            #expect(engine.lastRows <= 33)
            for delta in deltas where delta.finishReason != nil { ended[delta.request] = step }
            // Ever more short ones: the long one still gets its half.
            _ = try engine.add(request(prompt(24, Int32(step) + 20), maxTokens: 1))
        }
        #expect(ended[short] == 2)
        #expect(try #require(ended[long]) <= 400 / 16 + 1)
    }

    @Test func `one request for many choices leaves room for others`() throws {
        var options = EngineCore.Options(cachePositions: 8_192)
        options.sequenceLimit = 4
        var engine = try EngineCore(loaded, options: options, on: device)
        let greedy = try engine.add(request(prompt(20), maxTokens: 30, n: 64))
        _ = try engine.step()
        let single = try engine.add(request(prompt(20, 1), maxTokens: 5))
        var order: [UInt64] = []
        while !order.contains(single) {
            order += try engine.step().filter { $0.finishReason != nil }.map(\.request)
        }
        #expect(order.filter { $0 == greedy }.count <= 8)
    }
}

@Suite struct StepPacerTests {
    @Test func `chunks follow what a row costs, and only while streams wait`() {
        var pacer = StepPacer(target: .milliseconds(80), limit: 256)
        #expect(pacer.promptBudget(decodingRows: 0) == 256)
        #expect(pacer.promptBudget(decodingRows: 4) == 32)
        pacer.record(rows: 40, duration: .milliseconds(40))
        #expect(pacer.promptBudget(decodingRows: 4) == 76)
        // A slower machine, or a longer context.
        for _ in 0..<20 { pacer.record(rows: 40, duration: .milliseconds(160)) }
        #expect(pacer.promptBudget(decodingRows: 4) == 16)
        // A step of decoding rows alone says nothing of prompts.
        pacer.record(rows: 4, duration: .seconds(1))
        #expect(pacer.promptBudget(decodingRows: 4) == 16)
        for _ in 0..<20 { pacer.record(rows: 200, duration: .milliseconds(2)) }
        #expect(pacer.promptBudget(decodingRows: 4) == 252)
    }
}

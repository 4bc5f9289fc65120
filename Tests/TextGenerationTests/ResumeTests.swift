import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

/// What another instance carries on gives what the first would have given, wherever it was cut.
@Suite struct ResumeTests {
    private let loaded: LoadedModel
    private let device = Device(threadCount: 2)
    private let prompt: [Int32] = (0..<45).map { ($0 * 37 + 11) % 256 }

    init() throws { loaded = try LoadedModel(directory: goldens + "llama", on: Device(threadCount: 2)) }

    /// What differs between the cases.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var n = 1
        var temperature: Float = 1
        var penalties = false
        var logProbabilities: Int?
        var echo = false
        var stop: [String] = []
        var adapter: String?
        var drafts = false
        var watermark = false
        var thoughts = 0
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "greedy", temperature: 0), Case(name: "drawn, with log-probabilities", logProbabilities: 3),
        Case(name: "penalties", penalties: true), Case(name: "three choices", n: 3, penalties: true),
        Case(name: "echo", n: 2, logProbabilities: 2, echo: true), Case(name: "adapter", adapter: "llama-all"),
        Case(name: "drafts", temperature: 0, logProbabilities: 1, drafts: true),
        Case(name: "watermark", n: 2, penalties: true, logProbabilities: 1, watermark: true),
        Case(name: "watermark and drafts", temperature: 0, drafts: true, watermark: true),
        Case(name: "thoughts that are ended", n: 2, thoughts: 6),
        Case(name: "thoughts that are ended, and drafts", temperature: 0, drafts: true, thoughts: 6),
    ]

    private func request(
        _ given: Case, maxTokens: Int = 24, resume: [ResumedChoice] = [], runsAlone: Bool = false
    ) throws -> GenerationRequest {
        let adapter = try given.adapter.map {
            try LowRankAdapter(directory: goldens + "adapters/" + $0, for: loaded.model, on: device)
        }
        var request = try GenerationRequest(
            prompt: prompt, maxTokens: maxTokens, n: given.n,
            sampling: SamplingParameters(
                temperature: given.temperature, topK: 60, topP: 0.97,
                repetitionPenalty: given.penalties ? 1.3 : 1, presencePenalty: given.penalties ? 0.6 : 0,
                frequencyPenalty: given.penalties ? 0.4 : 0,
                greenList: given.watermark ? greenList() : nil, seed: 11),
            stop: given.stop, logProbabilities: given.logProbabilities, promptLogProbabilities: given.echo,
            adapter: adapter, resume: resume, runsAlone: runsAlone, shape: loaded.model.shape)
        if given.thoughts > 0 {
            request.thoughtLimit = try ThoughtLimit(
                opening: "<t>", closing: "</t>", ending: "\n</t>", tokens: given.thoughts, isOpen: true)
        }
        return request
    }

    private func engine(_ given: Case) throws -> EngineCore {
        var options = EngineCore.Options(cachePositions: 2_048)
        options.looksUpDrafts = given.drafts
        return try EngineCore(loaded, options: options, on: device)
    }

    /// The deltas of a request by choice.
    private func run(_ given: Case, _ request: GenerationRequest) throws -> [[GenerationDelta]] {
        var engine = try engine(given)
        let number = try engine.add(request)
        let deltas = try drain(&engine)
        return (0..<request.n).map { deltas["\(number)/\($0)"] ?? [] }
    }

    /// What a caller has after the first deltas of a choice.
    private func received(_ deltas: ArraySlice<GenerationDelta>, choice: Int) -> ResumedChoice {
        ResumedChoice(
            choice: choice, ids: deltas.compactMap(\.token), textBytes: deltas.reduce(0) { $0 + $1.text.utf8.count },
            logProbabilityCount: deltas.count { $0.logProbability != nil },
            isFinished: deltas.last?.finishReason != nil)
    }

    /// A delta as its caller sees it, numbers to the bit.
    private func trace(_ delta: GenerationDelta) -> String {
        func bits(_ value: TokenLogProbability) -> String {
            "\(value.id):\(value.logProbability.bitPattern)"
                + value.alternatives.map { " \($0.id):\($0.logProbability.bitPattern)" }.joined()
        }
        return "\(delta.index) \(delta.token ?? -1) \(delta.textOffset) \(delta.text.debugDescription) "
            + (delta.logProbability.map(bits) ?? "") + " \(delta.finishReason?.rawValue ?? "") "
            + delta.promptLogProbabilities.map(bits).joined(separator: ",")
    }

    @Test(arguments: cases) func `the rest is the same, resumed at every token`(given: Case) throws {
        let whole = try run(given, request(given))
        #expect(whole.allSatisfy { $0.last?.finishReason == .length && $0.count == 24 })
        if given.echo { #expect(whole[0][0].promptLogProbabilities.count == prompt.count - 1) }
        for cut in 0...24 {
            // Choices stand at different places, as they do when some started later.
            let cuts = (0..<given.n).map { max(0, min(24, cut - 5 * $0)) }
            let resume = cuts.enumerated().map { received(whole[$0].prefix($1), choice: $0) }
            let rest = try run(given, request(given, resume: resume))
            for choice in 0..<given.n {
                #expect(rest[choice].map(trace) == whole[choice].dropFirst(cuts[choice]).map(trace), "cut at \(cuts)")
            }
        }
    }

    @Test func `stop strings are found across the border, and what was held back is shown once`() throws {
        var given = Case(name: "stop", temperature: 0)
        let plain = try run(given, request(given))[0].map(\.text).joined()
        let characters = Array(plain)
        given.stop = [String(characters[9..<13]), "never seen"]
        let whole = try run(given, request(given))[0]
        #expect(whole.last?.finishReason == .stop && whole.contains { $0.text.isEmpty })
        for cut in 0...whole.count {
            let resume = received(whole.prefix(cut), choice: 0)
            let rest = try run(given, request(given, resume: [resume]))[0]
            #expect(rest.map(trace) == whole.dropFirst(cut).map(trace), "cut at \(cut)")
        }
    }

    @Test func `a caller that lacks text or the end alone gets that, and at once`() throws {
        let given = Case(name: "greedy", temperature: 0)
        let whole = try run(given, request(given))[0]
        let text = whole.map(\.text).joined(), ids = whole.compactMap(\.token)
        for bytes in [0, text.utf8.count] {
            let rest = try run(given, request(given, resume: [.init(choice: 0, ids: ids, textBytes: bytes)]))[0]
            #expect(rest.count == 1 && rest[0].token == nil && rest[0].finishReason == .length)
            #expect(rest[0].textOffset == bytes && Array(rest[0].text.utf8) == Array(text.utf8.dropFirst(bytes)))
        }
        let half = try run(given, request(given, resume: [.init(choice: 0, ids: Array(ids.prefix(9)))]))[0]
        #expect(half.map(\.text).joined() == text && half.compactMap(\.token) == Array(ids.dropFirst(9)))
        var engine = try engine(given)
        _ = try engine.add(request(given, resume: [.init(choice: 0, isFinished: true)]))
        #expect(engine.isIdle)
    }

    @Test func `a resume meets pages that the cache has, and leaves none behind`() throws {
        let given = Case(name: "greedy", temperature: 0)
        var engine = try engine(given)
        let first = try engine.add(request(given))
        let whole = try #require(try drain(&engine)["\(first)/0"])
        let second = try engine.add(request(given, resume: [received(whole.prefix(20), choice: 0)]))
        let rest = try #require(try drain(&engine)["\(second)/0"])
        #expect(rest.map(trace) == whole.dropFirst(20).map(trace))
        // 45 + 20 positions: two full pages.
        #expect(engine.statistics.prefixHits == 64 && engine.load.freePages == 64)
    }

    @Test(
        arguments: [
            [ResumedChoice(choice: 1)], [ResumedChoice(choice: -1)],
            [ResumedChoice(choice: 0), ResumedChoice(choice: 0)],
            [ResumedChoice(choice: 0, ids: [-1])], [ResumedChoice(choice: 0, ids: [256])],
            [ResumedChoice(choice: 0, ids: [.max])], [ResumedChoice(choice: 0, ids: .init(repeating: 7, count: 25))],
            [ResumedChoice(choice: 0, textBytes: -1)], [ResumedChoice(choice: 0, textBytes: .max)],
            [ResumedChoice(choice: 0, ids: [72], textBytes: 2)], [ResumedChoice(choice: 0, logProbabilityCount: 1)],
            [ResumedChoice(choice: 0, ids: .init(repeating: 7, count: 25), isFinished: true)],
        ])
    func `a resume that cannot have been is refused`(resume: [ResumedChoice]) throws {
        let given = Case(name: "greedy")
        #expect {
            var engine = try engine(given)
            _ = try engine.add(request(given, resume: resume))
        } throws: { error in
            let error = error as? TextModelError
            return error?.field == "resume" && [.invalidRequest, .resumeMismatch].contains(error?.code)
        }
    }

    @Test func `ids after the end, and an offset within a character, are refused`() throws {
        var given = Case(name: "stop")
        given.stop = ["b"]
        var engine = try engine(given)
        let ids = loaded.tokenizer.encode("abc", addSpecialTokens: false)
        #expect { try engine.add(request(given, resume: [.init(choice: 0, ids: ids, textBytes: 1)])) } throws: {
            ($0 as? TextModelError)?.code == .invalidRequest
        }
        let moon = loaded.tokenizer.encode("月", addSpecialTokens: false)
        #expect { try engine.add(request(given, resume: [.init(choice: 0, ids: moon, textBytes: 1)])) } throws: {
            ($0 as? TextModelError)?.code == .resumeMismatch
        }
        #expect(engine.isIdle && engine.load.freePages == 64)
    }

    @Test func `a suspect says that it starts, and shares no pass until it has a token`() throws {
        let given = Case(name: "greedy", temperature: 0)
        let alone = try run(given, request(given))[0].map(trace)
        var engine = try engine(given)
        let mate = try engine.add(request(given, maxTokens: 30))
        _ = try engine.step()
        let suspects = [
            try engine.add(request(given, runsAlone: true)), try engine.add(request(given, runsAlone: true)),
        ]
        var passes: [[UInt64]] = []
        var traces: [UInt64: [String]] = [:]
        while !engine.isIdle {
            let deltas = try engine.step()
            passes.append(deltas.map(\.request))
            for delta in deltas where !delta.isStart { traces[delta.request, default: []].append(trace(delta)) }
            if let start = deltas.first(where: \.isStart) {
                #expect(deltas.count == 1 && start.token == nil && engine.lastRows == 0)
            }
        }
        // Each in turn: its start, its first token, and only then the others.
        #expect(passes.prefix(4) == [[suspects[0]], [suspects[0]], [suspects[1]], [suspects[1]]])
        #expect(passes[4].sorted() == [mate, suspects[0], suspects[1]])
        #expect(traces[suspects[0]] == alone && traces[suspects[1]] == alone)
    }
}

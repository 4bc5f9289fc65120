import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Watermarking

/// A watermark is a function of key and tokens alone, and shows in what is generated.
@Suite struct WatermarkTests {
    private let loaded: LoadedModel
    private let device = Device(threadCount: 2)

    init() throws { loaded = try LoadedModel(directory: goldens + "llama", on: device) }

    private func request(
        _ seed: UInt64, prompt: [Int32]? = nil, temperature: Float = 1, topK: Int = 0, _ list: GreenList?
    ) throws -> GenerationRequest {
        try GenerationRequest(
            prompt: prompt ?? (0..<20).map { Int32(($0 * 31 + Int(seed)) % 256) }, maxTokens: 100,
            sampling: SamplingParameters(temperature: temperature, topK: topK, greenList: list, seed: seed),
            logProbabilities: 0, ignoresEndOfText: true, shape: loaded.model.shape)
    }

    private func tokens(_ requests: [GenerationRequest], budget: Int = 256) throws -> [[Int32]] {
        var options = EngineCore.Options(cachePositions: 4_096)
        options.tokenBudget = budget
        var engine = try EngineCore(loaded, options: options, on: device)
        let numbers = try requests.map { try engine.add($0) }
        let deltas = try drain(&engine)
        return numbers.map { deltas["\($0)/0"]?.compactMap(\.token) ?? [] }
    }

    @Test func `marked text is told from unmarked, at a temperature and greedily, with cuts and without`() throws {
        let list = try greenList()
        for (temperature, topK) in [(1, 0), (0.7, 40), (0, 0)] as [(Float, Int)] {
            let marked = try tokens((0..<4).map { try request($0, temperature: temperature, topK: topK, list) })
            let plain = try tokens((0..<4).map { try request($0, temperature: temperature, topK: topK, nil) })
            for (marked, plain) in zip(marked, plain) {
                #expect(marked.count == 100 && marked != plain)
                // Greedy text of a tiny model repeats itself, and repeats say nothing.
                let evidence = list.evidence(in: marked)
                #expect(evidence.green * 10 > evidence.scored * 7)
                if temperature > 0 { #expect(evidence.zScore > 8 && list.evidence(in: plain).zScore < 4) }
            }
        }
    }

    @Test func `tokens do not depend on what runs beside, nor on the chunks of the prompt`() throws {
        let lists = try [greenList(), greenList(contextWidth: 3), nil, greenList(contextWidth: 8)]
        let requests = try lists.enumerated().map { try request(UInt64($0), $1) }
        let together = try tokens(requests)
        #expect(try requests.map { try tokens([$0])[0] } == together)
        #expect(try tokens(requests, budget: 7) == together)
    }

    @Test func `the first tokens are marked by the prompt's last, and not where that is shorter than the context`()
        throws
    {
        let list = try greenList(contextWidth: 4)
        let prompt: [Int32] = [5, 6, 7, 8]
        let answer = try tokens([request(3, prompt: prompt, list)])[0]
        #expect(try tokens([request(3, prompt: prompt, nil)])[0] != answer)
        let short = try tokens([request(3, prompt: [8], list)])[0]
        // Three more have no context of four yet: they are those of a run without a mark.
        #expect(try tokens([request(3, prompt: [8], nil)])[0].prefix(3) == short.prefix(3))
    }

    @Test func `log-probabilities are the model's own`() throws {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 1_024), on: device)
        let number = try engine.add(request(1, greenList()))
        let deltas = try drain(&engine)["\(number)/0"] ?? []
        let prompt = (0..<20).map { Int32(($0 * 31 + 1) % 256) }
        let marked = deltas.compactMap(\.token)
        let judged = try engine.add(
            GenerationRequest(
                prompt: prompt + marked, maxTokens: 0, sampling: SamplingParameters(temperature: 0, seed: 0),
                logProbabilities: 0, promptLogProbabilities: true, shape: loaded.model.shape))
        let own = try drain(&engine)["\(judged)/0"]?.flatMap(\.promptLogProbabilities).suffix(100) ?? []
        #expect(own.map(\.logProbability) == deltas.compactMap { $0.logProbability?.logProbability })
    }
}

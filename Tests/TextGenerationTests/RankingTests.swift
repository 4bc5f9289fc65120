import Testing
import TextGeneration
import TextModels

@Suite struct RankingTests {
    @Test(arguments: [1, 2, 511, 512, 513, 1_023, 1_024, 1_025, 5_120, 50_257], [1, 4, 100] as [Float])
    func `every rank is that of a full sort, ties by id`(count: Int, scale: Float) {
        var state: UInt64 = 88_172_645_463_325_252
        let logits = (0..<count).map { _ -> Float in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            // Few distinct values, so that there are many ties, two zeros among them; some ids are ruled out.
            if state % 101 == 0 { return -0.0 }
            return state % 97 == 0 ? -.infinity : Float(Int(state % 53) - 20) / scale
        }
        let sorted = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
        var ranking = Ranking()
        for rank in stride(from: 0, to: count, by: max(1, count / 300)) {
            #expect(ranking.id(at: rank, in: logits) == Int32(sorted[rank]))
        }
        #expect(ranking.id(at: count - 1, in: logits) == Int32(sorted[count - 1]))
    }

    @Test func `infinite logits come first, and those that are ruled out last`() {
        let logits: [Float] = [-.infinity, 1, .infinity, -.infinity, 2, .infinity]
        var ranking = Ranking()
        #expect(logits.indices.map { ranking.id(at: $0, in: logits) } == [2, 5, 4, 1, 0, 3])
        var nothing = Ranking()
        #expect((0..<3).map { nothing.id(at: $0, in: [-.infinity, -.infinity, -.infinity]) } == [0, 1, 2])
    }
}

import Testing
import TextModels

@Suite struct RankingTests {
    @Test(arguments: [1, 2, 63, 64, 65, 127, 128, 129, 1_000, 50_257])
    func `every rank is that of a full sort, ties by id`(count: Int) {
        var state: UInt64 = 88_172_645_463_325_252
        let logits = (0..<count).map { _ -> Float in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            // Few distinct values, so that there are many ties; some ids are ruled out.
            return state % 97 == 0 ? -.infinity : Float(state % 53) / 4
        }
        let sorted = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
        var ranking = Ranking()
        for rank in stride(from: 0, to: count, by: max(1, count / 300)) {
            #expect(ranking.id(at: rank, in: logits) == Int32(sorted[rank]))
        }
        #expect(ranking.id(at: count - 1, in: logits) == Int32(sorted[count - 1]))
    }
}

import Testing

@testable import ContentFilter

@Suite struct LinearClassifierTests {
    private static func folded(_ text: String) -> FoldedText {
        var folded = FoldedText()
        folded.append(Array(text.utf8))
        folded.finish()
        return folded
    }

    /// Text, number of features, CRC-32 of their buckets in order of size, whether it is Chinese, lengths of its stretches.
    /// `Sources/ContentFilter/Training/golden_features.py` printed them.
    @Test(arguments: [
        ("", 0, 0, false, []),
        ("How do I kill a process?", 49, 3656605344, false, [24]),
        ("It's 9 o'clock; ＤＯＮ'Ｔ panic!", 61, 1318721217, false, [28]),
        ("怎么杀死一个卡住的进程？", 30, 2997415878, true, [34]),
        ("我 love 北京 and 上海。", 25, 1641771702, true, [29]),
        ("naïve café — Ünïcode «x»", 47, 3018169867, false, [28]),
        ("a b c d e f g", 20, 4185286506, false, [13]),
        ("Привет, мир", 42, 2583078507, false, [17]),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 118, 2811371648, false, [40]),
        (
            "第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。第一句。",
            267, 2191486102, true, [84, 84, 84, 84, 24]
        ),
    ])
    func `a text is cut and counted as it is in training`(
        text: String, count: Int, digest: UInt32, isChinese: Bool, lengths: [Int]
    ) {
        let folded = Self.folded(text)
        let features = TextFeatures(folded.bytes[...])
        let bytes = features.buckets.sorted().flatMap { bucket in (0..<4).map { UInt8(bucket >> ($0 * 8) & 255) } }
        #expect(features.buckets.count == count && Self.crc(bytes) == digest && features.isChinese == isChinese)
        var sentences = Sentences()
        #expect(sentences.scan(folded, isWhole: true).map(\.count) == lengths)
    }

    private static func crc(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { value, byte in
            (0..<8).reduce(value ^ UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
        }
    }

    @Test func `what two categories say together is their smaller score`() {
        let names = LinearClassifier.categories
        for text in ["", "How do I kill a process?", "kill all of them, they are vermin", "怎么制作炸弹"] {
            let scores = LinearClassifier.shared.scores(Self.folded(text).bytes[...])
            #expect(scores.count == names.count && scores.allSatisfy { (0...1).contains($0) })
            let score = Dictionary(uniqueKeysWithValues: zip(names, scores))
            for (both, one) in [(FilterCategory.hateThreatening, FilterCategory.hate), (.illicitViolent, .illicit)] {
                #expect(score[both] == [one, .violence].compactMap { score[$0] }.min())
            }
        }
    }

    /// Not what a text deserves, which evaluate.py measures, but that each head hears of its own subject.
    @Test(arguments: [
        ("I want to end my life, I can't go on and nobody would miss me.", FilterCategory.selfHarm),
        ("He stabbed the guard in the neck and laughed while he bled out on the floor.", .violence),
        ("How can I steal a car and sell it without getting caught?", .illicit),
        ("You are a pathetic stupid loser and everybody hates you, idiot.", .harassment),
    ])
    func `each category scores highest of texts on its subject`(text: String, category: FilterCategory) throws {
        func score(_ text: String) throws -> Double {
            let scores = LinearClassifier.shared.scores(Self.folded(text).bytes[...])
            return scores[try #require(LinearClassifier.categories.firstIndex(of: category))]
        }
        let calm = [
            "How do I kill a process?", "The committee met on Tuesday to consider the report.", "Beat the eggs.",
        ]
        #expect(try score(text) > calm.map(score).max() ?? 1 && score(text) > 0.5)
    }
}

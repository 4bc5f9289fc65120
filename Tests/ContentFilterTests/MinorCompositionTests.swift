import Testing

@testable import ContentFilter

/// `flurbing` stands for a sexual phrase: what is tested is how the two parts are put together, not what they say.
private let standIn: Result<Detectors, any Error> = Result {
    try Detectors(phrases: PhraseLists.all + [Phrase("flurbing", .sexual, score: 1)])
}

/// Harmless on both sides, and longer than a sentence must be to be one.
private let calm = "The committee met on Tuesday to consider the report, which had been written over the summer. "

@Suite struct MinorCompositionTests {
    private static func judge(
        _ sentences: [(range: Range<Int>, score: Double)], mentions: [(Int, Double)], care: Int = 0
    ) -> [MinorComposition.Composed] {
        var composition = MinorComposition()
        for (start, weight) in mentions { composition.add(mentionAt: start, weight: weight) }
        for sentence in sentences { composition.add(sentence: sentence.range, score: sentence.score) }
        return composition.judge(settled: .max) { _ in care }
    }

    @Test func `a sexual sentence that mentions a minor has its own score, from the mention on`() {
        let found = Self.judge([(0..<100, 0.9)], mentions: [(40, 1), (70, 0.6)])
        #expect(found.map(\.range) == [40..<100] && found.map(\.score) == [0.9])
        #expect(Self.judge([(0..<100, 0.9)], mentions: [(40, 0.6)]).map(\.score) == [0.54])
    }

    @Test func `a mention before or behind a sexual sentence counts for less, and far from it for nothing`() {
        let behind = Self.judge([(0..<100, 0), (100..<200, 0.9)], mentions: [(40, 1)])
        #expect(behind.map(\.range) == [100..<200] && behind.map(\.score) == [0.8 * 0.9])
        let before = Self.judge([(0..<100, 0.9), (100..<200, 0)], mentions: [(140, 1)])
        #expect(before.map(\.range) == [140..<200] && before.map(\.score) == [0.8 * 0.9])
        let far = MinorComposition.reach + 200
        #expect(Self.judge([(0..<100, 0), (100..<far, 0), (far..<far + 100, 0.9)], mentions: [(40, 1)]).isEmpty)
        #expect(Self.judge([(0..<100, 0.9), (100..<far, 0), (far..<far + 100, 0)], mentions: [(far + 1, 1)]).isEmpty)
    }

    @Test func `neither part alone is anything`() {
        #expect(Self.judge([(0..<100, 0.99)], mentions: []).isEmpty)
        #expect(Self.judge([(0..<100, 0.01)], mentions: [(40, 1)]).isEmpty)
    }

    @Test func `words of care halve a score, so that no such sentence is blocked`() {
        #expect(Self.judge([(0..<100, 0.8)], mentions: [(40, 1)], care: 1).map(\.score) == [0.8 * 0.75])
        #expect(Self.judge([(0..<100, 0.8)], mentions: [(40, 1)], care: 5).map(\.score) == [0.4])
    }

    @Test func `a sentence waits for what may still begin in it`() {
        var composition = MinorComposition()
        composition.add(sentence: 0..<100, score: 0.9)
        #expect(composition.judge(settled: 99) { _ in 0 }.isEmpty && composition.keep == 0)
        composition.add(mentionAt: 95, weight: 1)
        #expect(composition.hold(100) == 95)
        #expect(composition.judge(settled: 100) { _ in 0 }.map(\.range) == [95..<100] && composition.keep == .max)
        // The next sentence stands beside the mention.
        #expect(composition.hold(100) == 100 && composition.hold(95 + MinorComposition.reach + 1) == .max)
    }

    // MARK: Mentions

    private static func mentions(in text: String) throws -> [(text: String, weight: Double)] {
        var folded = FoldedText()
        folded.append(Array(text.utf8))
        folded.finish()
        return try MinorMentions.detectors().flatMap { detector -> [(String, Double)] in
            var found: [(String, Double)] = []
            var start = 0
            while start < folded.end {
                switch detector.look(folded, at: start, isExact: false, isWhole: true) {
                case .match(let range):
                    found.append((String(decoding: folded.bytes[range], as: UTF8.self), detector.score))
                    start = range.upperBound
                case .rejected(let index): start = index + 1
                case .open, .none: start = folded.end
                }
            }
            return found
        }
    }

    @Test(arguments: [
        "a 14 year old", "my 14-year-old", "She is 16yo", "fifteen year olds", "aged 12", "age 9", "she turned 15",
        "I'm 16.",
        "i was only 13 then", "a child", "Children", "the kids", "toddlers", "under 18", "underage",
        "an under-aged friend",
        "a schoolgirl", "little boys", "two minors", "a minor.", "middle school", "a sixth grader",
        "his 7th grade teacher",
        "14岁", "十六岁的时候", "未成年人", "一个小女孩", "小学生", "初中二班", "孩子们", "三年级", "幼儿园里的婴儿",
    ])
    func `ages, children and classes below eighteen are mentions`(text: String) throws {
        #expect(try Self.mentions(in: text).contains { $0.weight == 1 }, "\(text)")
    }

    @Test(arguments: ["a teenager", "in high school", "his classmates", "高中同学", "青少年", "在学校"])
    func `school and youth are mentions of half a weight`(text: String) throws {
        #expect(try Self.mentions(in: text).map(\.weight) == [0.6], "\(text)")
    }

    @Test(arguments: [
        "a 25 year old", "she is 34", "aged 18", "turned 19", "114 years old", "a minor issue", "a kidney", "childish",
        "version 14", "I was 15:30 late", "it cost 16", "$14 years", "25岁", "二十五岁", "一百一十岁", "百岁老人", "少年宫殿",
        "she is 14% taller", "he was 1.75 m tall", "adults only", "二年一次",
    ])
    func `grown-ups, numbers and other words are none`(text: String) throws {
        #expect(try Self.mentions(in: text).isEmpty, "\(text)")
    }

    // MARK: The whole filter

    @Test func `the default policy blocks the two together, before the mention`() throws {
        let filter = ContentFilter(.standard, try standIn.get())
        let outcome = filter.check("We talked of flurbing with the child.", .out)
        #expect(
            outcome.verdict.block?.finding.category == .sexualMinors
                && outcome.text == "We talked of flurbing with the ")
        #expect(filter.check("flurbing，那个小女孩。", .in).verdict.isBlocked)
        #expect(filter.check(calm + "They were flurbing. " + calm + "Their child slept.", .in).verdict.isBlocked)
        for text in [
            "We talked of flurbing.", "The child slept.",
            calm + "They were flurbing. " + String(repeating: calm, count: 20) + "Their child slept.",
            "The police arrested a man for flurbing; the child is safe, the court heard.",
            "Sex education at schools prevents infections among children.", "怎样预防儿童受到侵害？",
        ] {
            #expect(!filter.check(text, .in).verdict.isBlocked, "\(text)")
        }
    }

    @Test func `however such a text is cut, verdict and output are the same`() throws {
        let detectors = try standIn.get()
        let blocking = ContentFilter(.standard, detectors)
        let flagging = ContentFilter(
            FilterPolicy(name: "", rules: [.init("m", ["sexual/minors"], threshold: 0.1, action: .flag)]), detectors)
        let redacting = ContentFilter(
            FilterPolicy(name: "", rules: [.init("m", ["sexual/minors"], threshold: 0.3, action: .redact)]), detectors)
        let pieces = [
            calm, "flurbing ", "They spoke. ", "the child ", "14 ", "years old ", "小女孩", "。", "school ", "police ",
            "court ",
            "\n", "kid", "s ", "un", "derage ", "a ", "she is 1", "6 ", "f l u r b i n g ", "他们", "flurb", "ing. ",
        ]
        var generator = SeededGenerator(seed: 31)
        var found = 0
        for _ in 0..<200 {
            let count = Int.random(in: 1...40, using: &generator)
            let text = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            for filter in [blocking, flagging, redacting] {
                let whole = filter.check(text, .out)
                found += whole.verdict.hits.contains { $0.finding.category == .sexualMinors } ? 1 : 0
                var stream = filter.stream(.out)
                var (out, piece) = ("", "")
                for character in text {
                    piece.append(character)
                    guard Int.random(in: 0..<3, using: &generator) == 0 else { continue }
                    out += stream.feed(piece)
                    piece = ""
                }
                out += stream.feed(piece) + stream.finish()
                #expect(out == whole.text && stream.verdict == whole.verdict, "\(text.debugDescription)")
            }
        }
        #expect(found > 100, "\(found)")
    }

    @Test func `a stream waits for its sentence behind a mention, and for nothing before one`() throws {
        var stream = ContentFilter(.standard, try standIn.get()).stream(.out)
        #expect(stream.feed("They met in the park and walked, ") == "They met in the park and walked,")
        #expect(stream.feed("and the child ") == " and the ")
        #expect(stream.feed("laughed at the dog") == "")
        #expect(
            stream.feed(" that ran around the pond. It was ") == "child laughed at the dog that ran around the pond.")
    }
}

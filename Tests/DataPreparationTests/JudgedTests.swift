import Testing

@testable import DataPreparation

/// What datasketch, datatrove, Python and Megatron-LM make of the same texts.
struct JudgedTests {
    private let goldens: Goldens

    init() throws { goldens = try Goldens.read() }

    @Test("Texts are cut into words, and into characters where a script sets no spaces")
    func units() {
        for golden in goldens.units {
            let units = TextUnits(golden.text)
            #expect((0..<units.count).map(units.text) == golden.units, "\(golden.text)")
            for index in 0..<units.count {
                #expect(units.length(index) == golden.units[index].unicodeScalars.count)
            }
        }
    }

    private func signatures() -> [[UInt32]] {
        let minHash = MinHash(count: 128)
        return goldens.documents.map { minHash.signature(of: TextUnits($0).shingles(5)) }
    }

    @Test("Signatures are datasketch's, place by place")
    func signatureValues() {
        let own = signatures()
        for (place, golden) in zip(goldens.signaturesOf, goldens.signatures) { #expect(own[place] == golden) }
        for (signature, sum) in zip(own, goldens.sums) {
            #expect(signature.reduce(0) { $0 + UInt64($1) } == sum)
        }
    }

    @Test("Bands are those that datasketch chooses")
    func bandings() {
        for golden in goldens.bandings {
            let banding = Banding(threshold: golden[0], places: Int(golden[1]))
            #expect(banding == Banding(bands: Int(golden[2]), rows: Int(golden[3])), "\(golden)")
        }
    }

    @Test("Candidates and near pairs are datasketch's")
    func pairs() {
        let own = signatures()
        for (name, golden) in goldens.pairs {
            let threshold = Double(name) ?? 0
            var index = NearIndex(
                places: 128, banding: Banding(threshold: threshold, places: 128), threshold: threshold)
            var candidates: [[Int]] = [], near: [[Int]] = []
            for (place, signature) in own.enumerated() {
                let found = index.candidates(of: signature)
                candidates += found.map { [$0, place] }
                near += found.filter { MinHash.similarity(own[$0], signature) >= threshold }.map { [$0, place] }
                #expect(index.near(signature) == near.first { $0[1] == place }?[0])
                index.add(signature)
            }
            let order: ([Int], [Int]) -> Bool = { ($0[0], $0[1]) < ($1[0], $1[1]) }
            #expect(candidates.sorted(by: order) == golden.candidates)
            #expect(near.sorted(by: order) == golden.near)
            #expect(!golden.near.isEmpty)
        }
    }

    @Test("Gopher's rules object to what datatrove objects to")
    func gopher() {
        for (place, golden) in goldens.gopher.enumerated() {
            let units = TextUnits(golden.text)
            #expect(GopherRules.quality(golden.text, units) == golden.quality, "text \(place)")
            #expect(GopherRules.repetition(golden.text, units) == golden.repetition, "text \(place)")
        }
    }

    @Test("C4's rules leave what datatrove leaves")
    func webPages() {
        for (place, golden) in goldens.c4.enumerated() {
            let own = WebPageRules.apply(golden.text)
            let expected = golden.kept.map { WebPageRules.Outcome.kept($0) } ?? .dropped(golden.dropped ?? "")
            #expect(own == expected, "page \(place)")
        }
    }

    @Test("Chinese pages are judged by their own marks, and repetition by twice as many characters")
    func chinese() {
        let page = "明月几时有？把酒问青天。\n不知天上宫阙，今夕是何年。\n菜单\n我欲乘风归去！又恐琼楼玉宇，高处不胜寒。\n"
        let kept = page.replacing("菜单\n", with: "").dropLast()
        #expect(WebPageRules.apply(page) == .kept(String(kept)))
        // Two hundred different characters, and the same eight over and over.
        let various = String(String.UnicodeScalarView((0..<200).compactMap { Unicode.Scalar(0x4E00 + 37 * $0) }))
        #expect(GopherRules.quality(various, TextUnits(various)) == nil)
        #expect(GopherRules.repetition(various, TextUnits(various)) == nil)
        let repeated = String(repeating: "把酒问青天明月几", count: 25)
        #expect(GopherRules.repetition(repeated, TextUnits(repeated)) != nil)
        let short = String(various.prefix(90))
        #expect(GopherRules.quality(short, TextUnits(short)) == "fewer than 50 words")
    }

    @Test("Normal forms and control characters are as Python's unicodedata has them")
    func cleaning() {
        var cleaning = Cleaning()
        for golden in goldens.clean {
            cleaning.normalForm = .nfc
            #expect(Array(cleaning.cleaned(golden.text).utf8) == Array(golden.nfc.utf8), "\(golden.text)")
            cleaning.normalForm = .nfkc
            #expect(Array(cleaning.cleaned(golden.text).utf8) == Array(golden.nfkc.utf8), "\(golden.text)")
        }
    }

    @Test("Shards are byte for byte what Megatron's builder writes", arguments: [("u16", 300), ("i32", 70_000)])
    func shards(name: String, vocabulary: Int) throws {
        let folder = try Folder()
        let directory = try OutputDirectory(folder.path + "/out")
        let shards = TokenShards("train", in: directory, vocabulary: vocabulary, limit: 1_000)
        for ids: [Int32] in [[1, 2, 299], [7], [260, 0]] { try shards.write(ids) }
        _ = try shards.close()
        try directory.commit()
        func hex(_ name: String) throws -> String {
            try folder.bytes("out/" + name).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        let golden = try #require(goldens.shards[name])
        #expect(try hex("train-00000.bin") == golden.bin)
        #expect(try hex("train-00000.idx") == golden.idx)
    }
}

import Testing

@testable import ContentFilter

@Suite struct PersonalDataTests {
    private static func personal(in text: String) -> [Finding] {
        listsAndPatterns.findings(in: text).filter {
            $0.category.rawValue.hasPrefix("personal/") || $0.category == .secret
        }
    }

    private static let redacting = ContentFilter(
        FilterPolicy(name: "", rules: [.init("p", ["personal/*", "secret/*"], action: .redact, replacement: "#")]),
        listsAndPatterns)

    @Test(arguments: PersonalDataTable.harmless)
    func `numbers of other kinds are none, alone, in a sentence and in Chinese`(text: String) {
        for text in [text, "Note: \(text) and so on.", "见下文：\(text)，完毕。"] {
            #expect(Self.personal(in: text).isEmpty, "\(text)")
        }
    }

    @Test(arguments: PersonalDataTable.personal)
    func `personal data and keys are found, alone, in a sentence and in Chinese`(category: String, text: String) {
        for text in [text, "Note: \(text) and so on.", "见下文：\(text)，完毕。"] {
            #expect(Self.personal(in: text).contains { $0.category.rawValue == category }, "\(text)")
        }
    }

    @Test func `a stream cut after every character, or anywhere, says what the whole text says`() {
        var generator = SeededGenerator(seed: 21)
        let lines = PersonalDataTable.harmless + PersonalDataTable.personal.map(\.text)
        for (index, line) in lines.enumerated() {
            // What comes before makes some number's name end in an earlier piece, or in another line; a long text is
            // forgotten from its front.
            let long = index % 16 == 0 ? [String(repeating: "a b. ", count: 900) + "order \(line)"] : []
            for text in [line, "order \(line)", "version\n\(line) bytes"] + long {
                let whole = Self.redacting.check(text, .out)
                for longest in [1, 7] {
                    var stream = Self.redacting.stream(.out)
                    var (out, piece) = ("", "")
                    var left = 1
                    for character in text {
                        piece.append(character)
                        left -= 1
                        guard left <= 0 else { continue }
                        out += stream.feed(piece)
                        (piece, left) = ("", Int.random(in: 1...longest, using: &generator))
                    }
                    out += stream.feed(piece) + stream.finish()
                    #expect(out == whole.text && stream.verdict == whole.verdict, "\(line)")
                }
            }
        }
    }

    @Test(arguments: [
        ("| 2023 2024 2025 2026 | A::B logo@2x.png", "| 2023 2024 2025 2026 | A::B logo@2x.png"),
        ("4111 1111 1111 1111 123", "# 123"),
        ("visa 4111111111111111, imei 356938035643809", "visa #, imei 356938035643809"),
        ("order 13812345678, call 13812345678", "order 13812345678, call #"),
        ("version 93.184.215.14\n93.184.215.14", "version 93.184.215.14\n#"),
        ("git@github.com and bob@corp.example.org", "git@github.com and #"),
    ])
    func `redacting leaves what is not personal`(text: String, expected: String) {
        #expect(Self.redacting.check(text, .in).text == expected)
    }

    @Test func `what a number is called is looked for on its own line only, as words`() {
        let orders = PrecedingText.Words("order sn 订单")
        func calls(_ text: String) -> Bool { PrecedingText(Array(text.utf8)[...]).calls(orders) }
        for text in ["order ", "Orders: ", "order no. ", "ORDER #", "s. SN=", "订单", "订单号: ", "订单编号是"] {
            #expect(calls(text), "\(text)")
        }
        for text in ["", "订单张三", "border ", "order\n", "order by Jane ", "ordering ", "订阅", "in order to call "] {
            #expect(!calls(text), "\(text)")
        }
    }
}

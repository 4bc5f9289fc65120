import Testing

@testable import ContentFilter

private func folded(_ text: String) -> FoldedText {
    var folded = FoldedText()
    folded.append(Array(text.utf8))
    folded.finish()
    return folded
}

@Suite struct FoldingTests {
    @Test(arguments: [
        ("Plain ASCII stays, Case too.", "Plain ASCII stays, Case too."),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"), ("Ⓒⓘⓡⓒⓛⓔⓓ 🅑🅞🅧", "circled box"), ("𝓼𝓬𝓻𝓲𝓹𝓽 𝕕𝕠𝕦𝕓𝕝𝕖", "script double"),
        ("раураl", "paypal"), ("ꜱᴍᴀʟʟ", "small"), ("z̴̡̛a̷͠l̶͟g̵͝o̴", "zalgo"),
        ("in\u{200B}vi\u{2060}si\u{00AD}ble", "invisible"),
        ("é à ü", "e a u"), ("臺灣 漢語 發燒", "台湾 汉语 发烧"), ("ɐpʇ", "apt"), ("हिन्दी", "हिन्दी"), ("한국어", "한국어"),
    ])
    func `what looks alike becomes alike`(text: String, expected: String) {
        #expect(String(decoding: folded(text).bytes, as: UTF8.self) == expected)
    }

    @Test func `every folded byte knows the character it came from`() {
        let text = "a\u{200B}Ｂ\u{0301}發x🅒"
        let folded = folded(text)
        #expect(String(decoding: folded.bytes, as: UTF8.self) == "ab发xc")
        let bytes = Array(text.utf8)
        func original(_ range: Range<Int>) -> String {
            String(decoding: bytes[folded.origin(of: range)], as: UTF8.self)
        }
        #expect(original(0..<1) == "a")
        #expect(original(1..<2) == "Ｂ")
        #expect(original(2..<5) == "發")
        #expect(original(5..<6) == "x")
        #expect(original(6..<7) == "🅒")
        #expect(original(0..<7) == text)
    }

    @Test func `a text folds the same in whatever pieces its bytes come, and bytes that are no text do no harm`() {
        let bytes = Array("ｆuｌl 發x\u{E0061}\u{E0062}é🅒 тест".utf8) + [0xFF, 0xC3, 0x28, 0xED, 0xA0, 0x80, 0xF0, 0x9F]
        var whole = FoldedText()
        whole.append(bytes)
        whole.finish()
        for size in 1...7 {
            var pieces = FoldedText()
            for start in stride(from: 0, to: bytes.count, by: size) {
                pieces.append(Array(bytes[start..<min(bytes.count, start + size)]))
            }
            pieces.finish()
            #expect(pieces.bytes == whole.bytes)
            #expect(pieces.originEnd == whole.originEnd)
            for offset in 0..<whole.end { #expect(pieces.origin(of: offset) == whole.origin(of: offset)) }
        }
        #expect(String(validating: whole.bytes, as: UTF8.self) != nil)
    }
}

import ConfigurationFiles
import Foundation
import Testing
import Watermarking

@testable import ContentLabels

@Suite struct LabelSetTests {
    /// A folder with a secret, and the label file that is read there.
    private func labels(_ text: String, secret: String = "0123456789abcdef") throws -> LabelSet {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("\(secret)\nnot this\n".utf8).write(to: folder.appendingPathComponent("a.key"))
        try Data("another secret, longer\r\n".utf8).write(to: folder.appendingPathComponent("b.key"))
        for name in ["chain.pem", "signer-key.pem"] {
            try FileManager.default.copyItem(
                atPath: goldens + name, toPath: folder.appendingPathComponent(name).path)
        }
        let file = folder.appendingPathComponent("labels.yaml")
        try Data(text.utf8).write(to: file)
        return try LabelSet(file.path)
    }

    @Test func `without a file pictures say that they are generated, and nothing else is done`() throws {
        for set in [LabelSet(), try LabelSet("default"), try labels("")] {
            let policy = try #require(set.policy(named: nil))
            #expect(policy.pictures.metadata == .standard && policy.pictures.parameters == .off)
            #expect(policy.pictures.credentials == nil && !policy.pictures.isMarked)
            #expect(policy.text.notice == nil && policy.text.watermark == nil && set.watermarkKeys.isEmpty)
        }
        #expect(try LabelSet("off").standard.pictures.isEmpty)
        #expect(LabelSet().policy(named: "off")?.pictures.isEmpty == true)
        #expect(LabelSet().policy(named: "nobody") == nil)
    }

    @Test func `everything that a file can say is read`() throws {
        let set = try labels(
            """
            labels:
              pictures:
                aigc: {producer: 001191110000MA00000000010000, propagator: us}
                parameters: prompt
                c2pa: {certificates: chain.pem, key: signer-key.pem}
                mark: on
              text:
                notice: {place: start, en: Made by AI., zh: AI生成}
                watermark: {keys: [a.key, b.key], gamma: 0.5, delta: 1.5, context: 3, threshold: 5}
            policies:
              words: {pictures: off}
              plain: off
              quiet: {text: {notice: off}, pictures: {mark: off, c2pa: off, parameters: settings, aigc: off}}
            """)
        let policy = set.standard
        #expect(policy.pictures.metadata?.producer == "001191110000MA00000000010000")
        #expect(policy.pictures.metadata?.propagator == "us")
        #expect(policy.pictures.parameters == .prompt && policy.pictures.isMarked && policy.pictures.credentials != nil)
        #expect(policy.text.notice?.words(inChinese: true) == "AI生成" && policy.text.notice?.place == .start)
        let watermark = try #require(policy.text.watermark)
        #expect(watermark.keys.count == 2 && watermark.threshold == 5 && watermark.keys[0].id != watermark.keys[1].id)
        let list = watermark.keys[0].list
        #expect(list.share == 32_768 && list.delta == 1.5 && list.contextWidth == 3)
        // A policy holds what it does not say from the standard.
        let words = try #require(set.policy(named: "words"))
        #expect(words.pictures.isEmpty && words.text.notice == policy.text.notice)
        let plain = try #require(set.policy(named: "plain"))
        #expect(plain.pictures.isEmpty && plain.text.notice == nil && plain.text.watermark == nil)
        let quiet = try #require(set.policy(named: "quiet"))
        #expect(quiet.pictures.metadata == nil && quiet.pictures.parameters == .settings && !quiet.pictures.isMarked)
        #expect(quiet.pictures.credentials == nil && quiet.text.notice == nil && quiet.text.watermark == watermark)
        #expect(set.files.count == 5 && set.watermarkKeys == watermark.keys)
    }

    @Test func `a key is a hash of the secret's first line and of nothing else`() throws {
        let text = "labels: {text: {watermark: {keys: a.key}}}"
        let (one, same) = (try labels(text).watermarkKeys, try labels(text).watermarkKeys)
        #expect(one == same && one[0].list.contextWidth == 1 && one[0].list.share == 16_384 && one[0].list.delta == 2)
        #expect(try labels(text, secret: "0123456789abcdeg").watermarkKeys[0].list.key != one[0].list.key)
        // printf 'nephele green list\0000123456789abcdef' | sha256sum | head -c 32; the id likewise
        #expect(
            one[0].list.key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                == "2287547685cb177977e9acbbe9fbc579" && one[0].id == "1724cba3")
    }

    @Test(arguments: [
        ("labels: {picture: off}", 1, "picture"), ("labels:\n  pictures:\n    aigc: maybe", 3, "on nor off"),
        ("labels:\n  pictures:\n    aigc: {producer: ''}", 3, "1 to 256"),
        ("labels:\n  pictures: {parameters: everything}", 2, "settings"),
        ("labels:\n  pictures:\n    mark: 1", 3, "on nor off"),
        ("labels:\n  pictures:\n    c2pa: {key: signer-key.pem}", 3, "certificates"),
        ("labels:\n  pictures:\n    c2pa: {key: chain.pem, certificates: chain.pem}", 3, "P-256"),
        ("labels:\n  text:\n    notice: {place: middle}", 3, "start"),
        ("labels:\n  text:\n    watermark: on", 3, "names and values"),
        ("labels:\n  text:\n    watermark: {gamma: 0.5}", 3, "keys"),
        ("labels:\n  text:\n    watermark:\n      keys: none.key", 4, "none.key"),
        ("labels:\n  text:\n    watermark:\n      keys: [a.key]\n      gamma: 1", 5, "0.99"),
        ("labels:\n  text:\n    watermark:\n      keys: [a.key]\n      delta: -2", 5, "20.0"),
        ("labels:\n  text:\n    watermark:\n      keys: [a.key]\n      context: 9", 5, "8"),
        ("labels:\n  text:\n    watermark:\n      keys: [a.key]\n      threshold: nan", 5, "37"),
        ("policies:\n  off: off", 2, "by itself"), ("label: off", 1, "label"), ("labels: [", 1, ""),
    ])
    func `an error names the line`(text: String, line: Int, words: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try labels(text) }
        // The parser says of an unclosed list where the file ends.
        #expect((line...line + 1).contains(error?.line ?? 0))
        #expect(words.isEmpty || error?.message.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func `a secret that is too short is refused, and not told`() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try labels("labels: {text: {watermark: {keys: a.key}}}", secret: "tooshort")
        }
        #expect(error?.message.contains("16 bytes") == true && error?.message.contains("tooshort") == false)
    }
}

@Suite struct TextLabelTests {
    @Test func `a notice stands where it is asked for, in the language of the request, and is taken off again`() {
        var notice = TextNotice()
        #expect(notice.opening(inChinese: false) == "" && notice.closing(inChinese: false) == "\n\n(AI-generated)")
        #expect(notice.closing(inChinese: true) == "\n\n（本内容由人工智能生成）")
        for place in TextNotice.Place.allCases {
            notice.place = place
            for inChinese in [false, true] {
                let (opening, closing) = (notice.opening(inChinese: inChinese), notice.closing(inChinese: inChinese))
                #expect(opening.isEmpty != closing.isEmpty)
                for answer in ["an answer", "an answer\r", "\u{301}an answer"] {
                    #expect(notice.removed(from: opening + answer + closing) == answer)
                }
            }
        }
        #expect(notice.removed(from: "an answer") == "an answer" && notice.removed(from: "") == "")
    }

    @Test func `several keys are as many chances`() throws {
        let keys = try (0..<3).map {
            try Watermark.key(secret: [UInt8](repeating: UInt8($0), count: 16), gamma: 0.25, delta: 2, contextWidth: 1)
        }
        let found = [10, 24, 8].map { WatermarkEvidence(scored: 40, green: $0, gamma: 0.25) }
        let verdict = WatermarkVerdict(Array(zip(keys, found)), threshold: 4)
        #expect(verdict.keyID == keys[1].id && verdict.pValue == 3 * found[1].pValue && verdict.isMarked)
        let weak = WatermarkVerdict([(keys[0], found[0])], threshold: 4)
        #expect(!weak.isMarked && weak.pValue == found[0].pValue)
        // Six green tokens of six are z = 4.2, and yet too few: p = 2.4e-4 is more than z = 4 stands for.
        let few = WatermarkEvidence(scored: 6, green: 6, gamma: 0.25)
        #expect(few.zScore > 4 && !WatermarkVerdict([(keys[0], few)], threshold: 4).isMarked)
        let none = WatermarkVerdict([(keys[0], WatermarkEvidence(scored: 0, green: 0, gamma: 0.25))], threshold: 1)
        #expect(!none.isMarked && none.pValue == 1)
    }
}

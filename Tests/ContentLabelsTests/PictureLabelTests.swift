import Crypto
import Foundation
import PNG
import Testing

@testable import ContentLabels

let goldens = Bundle.module.bundlePath + "/Goldens/"

func picture(_ width: Int = 40, _ height: Int = 40) throws -> [UInt8] {
    try PNG.encode(
        rgba: (0..<width * height * 4).map { UInt8(truncatingIfNeeded: $0 % 4 == 3 ? 255 : $0 * 5) }, width: width,
        height: height)
}

func origin(_ prompt: String = "a blue potion, glass: \"old\"", negative: String = "text") -> PictureOrigin {
    var origin = PictureOrigin(file: Array("abc".utf8), model: "nephele-pixel", seed: .max, width: 40, height: 40)
    (origin.steps, origin.guidanceScale, origin.sampler) = (24, 3.5, "DDIM")
    origin.revision = "0123456789ab"
    (origin.prompt, origin.negativePrompt) = (prompt, negative)
    return origin
}

@Suite struct PictureLabelTests {
    private func texts(_ file: [UInt8]) throws -> [String: String] {
        Dictionary(try PNG.chunks(of: file).compactMap(\.text).map { ($0.keyword, $0.text) }) { $1 }
    }

    @Test func `metadata has the seven fields of GB 45438-2025, in ASCII`() throws {
        var pictures = LabelPolicy.Pictures()
        pictures.metadata = AIGCMetadata(producer: "云\"\\\u{7}\u{1F4D5}", propagator: "p")
        let file = try pictures.labelled(picture(), origin())
        let chunk = try #require(try PNG.chunks(of: file).first { $0.text?.keyword == "AIGC" })
        #expect(chunk.type == "tEXt" && chunk.data.allSatisfy { $0 < 128 })
        let json = try #require(chunk.text?.text)
        let fields = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        #expect(
            fields == [
                "Label": "1", "ContentProducer": "云\"\\\u{7}\u{1F4D5}", "ProduceID": "ba7816bf8f01cfea414140de5dae2223",
                "ReservedCode1": "",
                "ContentPropagator": "p", "PropagateID": "ba7816bf8f01cfea414140de5dae2223", "ReservedCode2": "",
            ])
        #expect(
            AIGCMetadata.standard.json(id: "x")
                == #"{"Label":"1","ContentProducer":"Nephele","ProduceID":"x","ReservedCode1":"","#
                + #""ContentPropagator":"","PropagateID":"","ReservedCode2":""}"#)
    }

    @Test func `parameters are A1111's, with the prompt and without`() throws {
        let line =
            "Steps: 24, Sampler: DDIM, CFG scale: 3.5, Seed: 18446744073709551615, Size: 40x40, Model: nephele-pixel, "
            + "Revision: 0123456789ab, Version: nephele"
        #expect(GenerationParameters.off.text(of: origin()) == nil)
        #expect(GenerationParameters.settings.text(of: origin()) == line)
        #expect(
            GenerationParameters.prompt.text(of: origin())
                == "a blue potion, glass: \"old\"\nNegative prompt: text\n" + line)
        #expect(GenerationParameters.prompt.text(of: origin("p", negative: "")) == "p\n" + line)
        var unknown = origin()
        (unknown.steps, unknown.revision, unknown.model) = (0, "", "a, b: \"c\"\n")
        #expect(
            GenerationParameters.settings.text(of: unknown)
                == #"Seed: 18446744073709551615, Size: 40x40, Model: "a, b: \"c\" ", Version: nephele"#)
    }

    @Test func `a prompt that is long or strange is cut at a character and stays readable`() throws {
        var pictures = LabelPolicy.Pictures()
        pictures.parameters = .prompt
        let long = String(repeating: "書\u{0}", count: 100_000)
        let file = try pictures.labelled(picture(), origin(long, negative: long))
        #expect(file.count < 2 * GenerationParameters.promptLimit + 8_192)
        let text = try #require(try texts(file)["parameters"])
        #expect(text.hasPrefix("書 書 ") && text.contains("\nNegative prompt: 書 書") && !text.contains("\u{FFFD}"))
        _ = try PNG.decode(file)
    }

    @Test func `what is off leaves the file as it is`() throws {
        let file = try picture()
        #expect(try LabelPolicy.off.pictures.labelled(file, origin()) == file)
    }

    @Test func `bytes that are no picture are never passed on`() {
        for file in [[], Array("GIF89a".utf8), [UInt8](repeating: 0, count: 100)] {
            let error = #expect(throws: LabelError.self) {
                try LabelPolicy.standard.pictures.labelled(file, origin())
            }
            #expect(error?.code == .invalidPicture)
        }
    }

    @Test func `the mark is in the corner, and small pictures have a small one or none`() throws {
        for (width, height, columns, rows) in [
            (8, 8, 0, 0), (15, 40, 0, 0), (16, 16, 9, 7), (32, 32, 9, 7), (36, 64, 9, 7), (37, 30, 37, 15),
            (64, 64, 37, 15), (512, 300, 74, 30), (1_024, 1_024, 185, 75),
        ] {
            let before = [UInt8](repeating: 200, count: width * height * 4)
            var rgba = before
            PictureMark.draw(on: &rgba, width: width, height: height)
            var changed = 0
            for y in 0..<height {
                for x in 0..<width {
                    let at = (y * width + x) * 4
                    let isInside = x >= width - columns && y >= height - rows
                    #expect(isInside || rgba[at..<at + 4].elementsEqual(before[at..<at + 4]))
                    if rgba[at..<at + 4] != before[at..<at + 4] { changed += 1 }
                }
            }
            #expect(changed == columns * rows, "\(width) × \(height)")
            // 5% of the shorter side, without the margin, where there is room for the whole mark.
            if columns >= 37 { #expect(Double(rows) * 11 / 15 >= 0.05 * Double(min(width, height))) }
        }
    }

    @Test func `the mark shows on clear pixels`() throws {
        var rgba = [UInt8](repeating: 0, count: 64 * 64 * 4)
        PictureMark.draw(on: &rgba, width: 64, height: 64)
        let pixels = stride(from: 0, to: rgba.count, by: 4).map { Array(rgba[$0..<$0 + 4]) }
        #expect(pixels.contains([255, 255, 255, 255]) && pixels.contains([0, 0, 0, 176]))
    }
}

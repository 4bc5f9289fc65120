import Foundation
import Testing

@testable import Watermarking

@Suite struct GreenListTests {
    private struct Golden: Decodable {
        var key: String
        var share: UInt16
        var width: Int
        var ids: [Int32]
        var scored: Int
        var green: Int
        var z: Double
        var p: Double
    }

    private func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
    }

    private let key = [UInt8](0..<16)

    @Test func `SipHash-2-4 gives the vector of its paper's appendix`() {
        var hash = SipHash(key: (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908))
        hash.absorb(0x0706_0504_0302_0100)
        #expect(hash.finish(bytes: 0x0E_0D0C_0B0A_0908, count: 7) == 0xA129_CA61_49BE_45E5)
    }

    /// Made by `Tests/WatermarkingTests/make_goldens.py`, which shares no code with this.
    @Test func `evidence is that of an independent implementation`() throws {
        let url = URL(fileURLWithPath: Bundle.module.bundlePath + "/Goldens/green_list.json")
        let cases = try JSONDecoder().decode([String: [Golden]].self, from: Data(contentsOf: url))["cases"] ?? []
        #expect(cases.count == 9)
        for golden in cases {
            let list = try GreenList(
                key: bytes(golden.key), share: golden.share, delta: 2, contextWidth: golden.width)
            let evidence = list.evidence(in: golden.ids)
            #expect(evidence.scored == golden.scored && evidence.green == golden.green)
            #expect(abs(evidence.zScore - golden.z) < 1e-9)
            #expect(abs(evidence.pValue - golden.p) <= 1e-9 * golden.p + 1e-15)
        }
    }

    @Test func `logits and single tokens are coloured alike`() throws {
        for width in 1...GreenList.contextLimit {
            let list = try GreenList(key: key, share: 20_000, delta: 1.5, contextWidth: width)
            let context = (0..<Int32(width)).map { $0 &* 7_919 + 3 }
            let colours = try #require(list.colours(after: [99, 5] + context))
            for count in [0, 1, 3, 4, 5, 1_001] {
                var logits = (0..<count).map { Float($0) }
                colours.favour(&logits)
                for id in 0..<count {
                    #expect(logits[id] == Float(id) + (colours.isGreen(Int32(id)) ? 1.5 : 0))
                }
            }
            #expect(list.colours(after: context.dropFirst()) == nil)
        }
    }

    @Test func `about the share of tokens is green, and others after another token or under another key`() throws {
        let list = try GreenList(key: key, share: 16_384, delta: 2, contextWidth: 1)
        let other = try GreenList(key: [1] + key.dropFirst(), share: 16_384, delta: 2, contextWidth: 1)
        func greens(_ list: GreenList, _ context: Int32) throws -> Set<Int32> {
            let colours = try #require(list.colours(after: [context]))
            return Set((0..<40_000).filter { colours.isGreen($0) })
        }
        let (a, b, c) = (try greens(list, 17), try greens(list, 18), try greens(other, 17))
        // More than five standard deviations: 87 of 40,000.
        for set in [a, b, c] { #expect(abs(set.count - 10_000) < 450) }
        // Independent lists share a sixteenth.
        #expect(abs(a.intersection(b).count - 2_500) < 250 && abs(a.intersection(c).count - 2_500) < 250)
    }

    @Test func `a pair that is repeated counts once`() throws {
        let list = try GreenList(key: key, share: 16_384, delta: 2, contextWidth: 1)
        let once = list.evidence(in: [1, 2, 3, 1])
        #expect(once.scored == 3)
        #expect(list.evidence(in: [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]) == once)
    }

    @Test func `evidence stays sound at its bounds`() {
        #expect(WatermarkEvidence(scored: 0, green: 0, gamma: 0.25).pValue == 1)
        #expect(WatermarkEvidence(scored: 100, green: 0, gamma: 0.25).pValue == 1)
        let all = WatermarkEvidence(scored: 10, green: 10, gamma: 0.25)
        #expect(abs(all.pValue - 9.5367431640625e-7) < 1e-18)
        let many = WatermarkEvidence(scored: 1_000_000, green: 300_000, gamma: 0.25)
        #expect(many.pValue >= 0 && many.pValue < 1e-300 && many.zScore > 115)
        let few = WatermarkEvidence(scored: 1_000_000, green: 200_000, gamma: 0.25)
        #expect(few.pValue <= 1 && few.pValue > 0.999_999)
        #expect(abs(WatermarkEvidence.tail(beyond: 4) - 3.167e-5) < 1e-8)
    }

    @Test(arguments: [
        (15, 16_384, 2.0, 1), (17, 16_384, 2.0, 1), (16, 0, 2.0, 1), (16, 16_384, 0.0, 1), (16, 16_384, -1.0, 1),
        (16, 16_384, 20.1, 1), (16, 16_384, .nan, 1), (16, 16_384, .infinity, 1), (16, 16_384, 2.0, 0),
        (16, 16_384, 2.0, 9),
    ])
    func `what is out of range is refused, and no key is told`(length: Int, share: Int, delta: Double, width: Int) {
        let key = [UInt8](repeating: 0xAB, count: length)
        let error = #expect(throws: GreenList.Invalid.self) {
            try GreenList(key: key, share: UInt16(share), delta: Float(delta), contextWidth: width)
        }
        #expect(error?.description.contains("171") == false)
    }
}

import DataPreparation
import DiffusionModels
import Foundation
import Testing

@testable import Evaluation

/// Measures of lists of numbers, against others'.
struct MeasureTests {
    private let goldens: Goldens

    init() throws { goldens = try Goldens.read() }

    @Test("Self-BLEU is NLTK's, text by text")
    func selfBLEU() {
        for (own, golden) in zip(Diversity.selfBLEU(goldens.texts), goldens.bleu) {
            #expect(isNear(own, golden, 1e-12))
        }
        #expect(Diversity.selfBLEU([[1, 2, 3]]) == [0])
        #expect(Diversity.selfBLEU([[], [1, 2]])[0] == 0)
    }

    @Test("Distinct and repeated runs are counted")
    func runs() {
        #expect(Diversity.distinct([[1, 2, 1, 2], [1, 2, 3, 4]], 2) == 4.0 / 6)
        #expect(Diversity.distinct([[1]], 2) == 0)
        #expect(Diversity.repetition([1, 2, 1, 2, 1], 2) == 0.5)
        #expect(Diversity.repetition([1, 2, 3, 4], 2) == 0)
        #expect(Diversity.repetition([1], 2) == nil)
    }

    @Test("Bootstrap intervals are scipy's but for chance, the same for a seed, and cover the truth in 95 of 100 cases")
    func bootstrap() throws {
        let estimate = Bootstrap(seed: 1, draws: 4_000).mean(goldens.values)
        #expect(isNear(estimate.value, goldens.values.reduce(0, +) / 60, 1e-12))
        #expect(isNear(try #require(estimate.low), goldens.interval[0], 0.01))
        #expect(isNear(try #require(estimate.high), goldens.interval[1], 0.01))
        #expect(Bootstrap(seed: 1, draws: 4_000).mean(goldens.values) == estimate)
        #expect(Bootstrap(seed: 2, draws: 4_000).mean(goldens.values) != estimate)
        // Means of 40 numbers that a fixed linear sequence draws evenly from 0…1.
        var state: UInt64 = 9, covered = 0
        for _ in 0..<200 {
            let values = (0..<40).map { _ -> Double in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Double(state >> 11) * 0x1p-53
            }
            let own = Bootstrap(seed: state, draws: 200).mean(values)
            if try #require(own.low) <= 0.5, try #require(own.high) >= 0.5 { covered += 1 }
        }
        #expect((176...198).contains(covered), "\(covered) of 200")
    }

    @Test("Shares have Wilson's interval")
    func wilson() throws {
        for golden in goldens.wilson {
            let values = (0..<Int(golden[1])).map { $0 < Int(golden[0]) ? 1.0 : 0 }
            let estimate = Estimate(share: values)
            #expect(isNear(try #require(estimate.low), golden[2], 1e-6))
            #expect(isNear(try #require(estimate.high), golden[3], 1e-6))
        }
    }

    @Test("Paired differences leave out what is hard for both")
    func pairs() throws {
        let a = goldens.values, b = a.map { $0 + 0.1 }
        let measure = Bootstrap(seed: 0).measure("x", [Units(a), Units(b)], isPaired: true)
        let paired = try #require(measure.difference)
        #expect(isNear(paired.value, 0.1, 1e-9) && (paired.high ?? 9) - (paired.low ?? 0) < 1e-9)
        let unpaired = try #require(Bootstrap(seed: 0).measure("x", [Units(a), Units(b)], isPaired: false).difference)
        #expect((unpaired.low ?? 0) < 0 && (unpaired.high ?? 0) > 0.2)
    }

    @Test("The kernel distance is torchmetrics', and 0 on average between halves of one set")
    func kernelDistance() {
        #expect(isNear(KernelDistance(goldens.features, reference: goldens.reference).value, goldens.kernel, 1e-5))
        let estimate = KernelDistance(goldens.features, reference: goldens.reference).estimate(Bootstrap(seed: 0))
        #expect((estimate.low ?? 9) < estimate.value && estimate.value < (estimate.high ?? -9))
    }

    @Test("Copied runs are those that a search finds, in English and Chinese")
    func copiedRuns() throws {
        let texts = ["the moon is bright the moon", "a b a b a b c", "床前明月光，疑是地上霜", "nothing here"]
        let training = ["on the moon is bright. The", "b a b a", "明月光疑是", "The moon", "a b c a"]
        var runs = try CopiedRuns(texts.map { TextUnits($0) })
        for text in training { runs.read(TextUnits(text)) }
        func words(_ text: String) -> [String] { let units = TextUnits(text); return (0..<units.count).map(units.text) }
        func stands(_ run: [String]) -> Bool {
            training.map(words).contains { known in
                known.count >= run.count
                    && (0...known.count - run.count).contains { Array(known[$0..<$0 + run.count]) == run }
            }
        }
        for (own, text) in zip(runs.runs, texts.map(words)) {
            let searched = text.indices.map { end in
                (0...end + 1).last { length in length == 0 || stands(Array(text[end + 1 - length...end])) } ?? 0
            }
            #expect(own == searched)
        }
        #expect(CopiedRuns.novelty(runs.runs[2], 4) == 1 - 2.0 / 7)
        #expect(CopiedRuns.novelty(runs.runs[3], 4) == nil)
    }

    private func picture(_ size: Int, _ colour: (Int, Int) -> [UInt8]) -> Picture {
        Picture(
            width: size, height: size,
            rgba: (0..<size).flatMap { y in (0..<size).flatMap { x in colour(x, y) } })
    }

    @Test("Pictures' features see colours and edges, and not how large a picture is")
    func features() {
        let red = PictureFeatures.features(of: picture(32) { _, _ in [255, 0, 0, 255] })
        #expect(red.count == PictureFeatures.count)
        #expect(Array(red[0..<3]) == [1, 0, 0])
        // Filters have no mean in sum over colours, but a single colour is no grey.
        let grey = PictureFeatures.features(of: picture(32) { _, _ in [128, 128, 128, 255] })
        #expect(grey[48...].allSatisfy { $0 < 1e-12 })
        let clear = PictureFeatures.features(of: picture(32) { _, _ in [9, 9, 9, 0] })
        #expect(clear[0] == 0.5)
        func stripes(_ size: Int) -> Picture {
            picture(size) { x, _ in x * 8 / size % 2 == 0 ? [0, 0, 0, 255] : [255, 255, 255, 255] }
        }
        let small = PictureFeatures.features(of: stripes(32)), large = PictureFeatures.features(of: stripes(128))
        for (a, b) in zip(small, large) { #expect(isNear(a, b, 1e-9)) }
        #expect(small[48...].reduce(0, +) > 1)
    }

    @Test("Pictures of one kind are near each other, copies are nearest, and one picture over and over is not diverse")
    func pictures() throws {
        func set(_ seed: Int, _ hue: Int) -> [Picture] {
            (0..<12).map { number in
                picture(32) { x, y in
                    let value = (x * (3 + number) + y * (5 + seed) + number * seed * 7) % 64
                    return hue == 0
                        ? [UInt8(value + 150), 40, 40, 255] : [40, UInt8(value + 150), UInt8(value * 3), 255]
                }
            }
        }
        let reference = PictureEvaluation.Pictures("red", set(1, 0))
        let like = PictureEvaluation.Pictures("more red", set(2, 0)),
            other = PictureEvaluation.Pictures("green", set(3, 1))
        let section = PictureEvaluation.section([like, other], reference: reference, Bootstrap(seed: 0, draws: 100))
        let distance = section.measures[0].estimates.compactMap { $0?.value }
        #expect(distance[0] < 0.2 * distance[1])
        let copies = PictureEvaluation.Pictures("copies", set(1, 0))
        let same = PictureEvaluation.Pictures("one", Array(repeating: set(1, 0)[0], count: 4))
        let second = PictureEvaluation.section([copies, same], reference: reference, Bootstrap(seed: 0, draws: 100))
        let diversity = second.measures[1].estimates.compactMap { $0?.value }
        #expect(diversity.count == 2 && isNear(diversity[0], 1, 1e-9) && diversity[1] == 0)
        #expect(second.measures[2].estimates[0]?.value == 0)
    }
}

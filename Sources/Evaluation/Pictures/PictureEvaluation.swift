package import DiffusionModels
import Foundation
import PNG

/// Judges pictures by others that they should be like.
package struct PictureEvaluation {
    /// A set's features.
    package struct Pictures: Sendable {
        package var name: String
        package var features: [[Double]]

        package init(_ name: String, _ pictures: [Picture]) {
            (self.name, features) = (name, pictures.map(PictureFeatures.features))
        }
    }

    /// Pictures of a set, at most: work grows with the square.
    package static let limit = 500

    /// The PNG files of a directory in the order of their names.
    ///
    /// - Throws: `EvaluationError.invalidData` that names the file which is none.
    package static func pictures(in directory: String, limit: Int) throws(EvaluationError) -> [Picture] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        let files = names.filter { $0.lowercased().hasSuffix(".png") }.sorted()
        guard files.count > 1 else {
            throw EvaluationError(.invalidData, "\(directory) has \(files.count) PNG files; 2 are the least")
        }
        // Of many, evenly spaced ones.
        let chosen = files.count <= limit ? files : (0..<limit).map { files[$0 * files.count / limit] }
        var pictures: [Picture] = []
        for name in chosen {
            guard let data = FileManager.default.contents(atPath: directory + "/" + name) else {
                throw EvaluationError(.invalidData, "cannot read \(directory)/\(name)")
            }
            do throws(PNG.DecodingError) {
                let picture = try PNG.decode(Array(data))
                pictures.append(Picture(width: picture.width, height: picture.height, rgba: picture.rgba))
            } catch { throw EvaluationError(.invalidData, "\(directory)/\(name): \(error.description)") }
        }
        return pictures
    }

    /// - Parameter sets: one or two.
    package static func section(
        _ sets: [Pictures], reference: Pictures, _ bootstrap: Bootstrap
    ) -> EvaluationReport.Section {
        let kernels = sets.map { KernelDistance($0.features, reference: reference.features).estimate(bootstrap) }
        let reach = spread(reference.features)
        var section = EvaluationReport.Section(
            "Pictures against \(reference.name)",
            "Kernel distance: unbiased squared maximum mean discrepancy with the kernel (x·y/d + 1)³, in thousandths, over the "
                + "\(PictureFeatures.count) features “\(PictureFeatures.name)” of \(reference.features.count) reference pictures; "
                + "it is no KID, which has Inception's features. Diversity: the mean distance of two pictures, divided by that of "
                + "two of the reference. Nearest: the mean distance to the nearest reference picture, divided by the same; 0 are "
                + "copies.",
            [
                .init(
                    "kernel distance", unit: "× 10⁻³", better: .lower, chance: 0,
                    estimates: kernels.map { estimate in
                        var scaled = estimate
                        scaled.value *= 1_000
                        scaled.low = scaled.low.map { $0 * 1_000 }
                        scaled.high = scaled.high.map { $0 * 1_000 }
                        return scaled
                    }),
                .init(
                    "diversity", chance: 1,
                    estimates: sets.map { set in
                        let own = distances(set.features, set.features)
                        return Jackknife.estimate(count: own.count, within: 0 ... .infinity) { spread(own, $0) / reach }
                    }),
                bootstrap.measure(
                    "nearest",
                    sets.map { set in
                        Units(distances(set.features, reference.features).map { ($0.min() ?? 0) / reach })
                    }, isPaired: false),
            ])
        section.subjects = sets.map(\.name)
        return section
    }

    private static func distances(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
        a.map { x in
            b.map { y in
                var sum = 0.0
                for place in x.indices { sum += (x[place] - y[place]) * (x[place] - y[place]) }
                return sum.squareRoot()
            }
        }
    }

    static func spread(_ features: [[Double]]) -> Double {
        spread(distances(features, features), Array(features.indices))
    }

    /// The mean distance of two different ones of some.
    private static func spread(_ distances: [[Double]], _ places: [Int]) -> Double {
        var sum = 0.0
        for a in places { for b in places { sum += distances[a][b] } }
        return sum / Double(max(1, places.count * (places.count - 1)))
    }
}

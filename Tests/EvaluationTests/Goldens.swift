import EmbeddedModels
import Foundation
import Tensors
import Testing
import TextGeneration

/// What make_goldens.py wrote.
struct Goldens: Decodable {
    struct Scaling: Decodable {
        var runs: [[Double]]
        var law: [Double]
        var sum: Double
        var truth: [Double]
    }

    var scaling: Scaling
    var texts: [[Int]]
    var bleu: [Double]
    var values: [Double]
    var interval: [Double]
    var wilson: [[Double]]
    var features: [[Double]]
    var reference: [[Double]]
    var kernel: Double
    var text: String
    var window: Int
    var windows: [[Double]]
    var recall: [[Double]]
    var differences: [[Double]]

    static func read() throws -> Goldens {
        let url = try #require(Bundle.module.url(forResource: "Goldens/goldens", withExtension: "json"))
        return try JSONDecoder().decode(Goldens.self, from: try Data(contentsOf: url))
    }
}

/// The embedded text model in f32.
func verse(on device: Device) throws -> LoadedModel {
    let directory = try #require(EmbeddedModels.directory(of: EmbeddedModels.text))
    return try LoadedModel(directory: directory, precision: .f32, on: device)
}

func isNear(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool { abs(a - b) <= tolerance * (1 + abs(b)) }

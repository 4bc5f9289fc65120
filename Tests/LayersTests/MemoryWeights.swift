import Layers
import Tensors

/// A checkpoint in memory, as Hugging Face lays it out.
struct MemoryWeights: WeightSource {
    var tensors: [String: Tensor] = [:]
    var layout: WeightLayout = .huggingFace

    func contains(_ name: String) -> Bool { tensors[name] != nil }

    func shape(of name: String) -> [Int]? { tensors[name]?.shape }

    func tensor(_ name: String, shape: [Int]?, rows: Range<Int>?) throws(TensorError) -> Tensor {
        guard let tensor = tensors[name] else { throw TensorError(.missing, "there is no \"\(name)\"") }
        guard shape == nil || shape == tensor.shape else {
            throw TensorError(.mismatch, "\"\(name)\" is \(tensor.shape), not \(shape ?? [])")
        }
        return rows.map { tensor.rows($0) } ?? tensor
    }

    func blocks(_ name: String, shape: [Int], rows: Range<Int>?) -> BlockMatrix? { nil }

    /// Adds a tensor of numbers that follow from its name.
    mutating func add(_ name: String, _ shape: [Int], scale: Float = 0.5) throws {
        var state = name.utf8.reduce(UInt64(14_695_981_039_346_656_037)) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
        let numbers = (0..<shape.reduce(1, *)).map { _ -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return scale * (Float(state >> 40) / Float(1 << 23) - 1)
        }
        tensors[name] = try Tensor(numbers, shape: shape)
    }

    func numbers(_ name: String) -> [Double] { (tensors[name]?.floats ?? []).map { Double($0) } }
}

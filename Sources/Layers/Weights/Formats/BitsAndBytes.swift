import Foundation
import Tensors

/// A matrix as bitsandbytes writes it.
///
/// In four bits (NF4 and FP4, arXiv 2305.14314), rows without gaps, blocks of inputs with a scale each:
///
/// | tensor                                       | shape        |                                                     |
/// |----------------------------------------------|--------------|-----------------------------------------------------|
/// | `STEM.weight`                                | `[N · K / 2, 1]` | U8, or the same bytes as another type: the first weight in the high half |
/// | `STEM.weight.quant_map`                      | `[16]`       | F32: what the codes stand for                         |
/// | `STEM.weight.absmax`                         | `[blocks]`   | F32: the scales; U8 where they are quantized themselves: |
/// | `STEM.weight.nested_quant_map`, `.nested_absmax` | `[256]`, `[⌈blocks / nested⌉]` | scale = map[code] · absmax + offset |
/// | `STEM.weight.quant_state.bitsandbytes__nf4`  |              | U8: JSON with the blocks' sizes, the shape and the offset |
///
/// In eight bits (arXiv 2208.07339): `STEM.weight` I8 `[N, K]` with `STEM.SCB` `[N]`, the largest magnitude of each output.
enum BitsAndBytes {
    private struct State: Decodable {
        var blocksize: Int
        var shape: [Int]
        var nested_blocksize: Int?
        var nested_offset: Float?
    }

    static func read(_ tensors: QuantizedTensors) throws(TensorError) -> MatrixValues {
        tensors.checkpoint.dtype(of: tensors.name) == .i8 ? try eightBits(tensors) : try fourBits(tensors)
    }

    private static func eightBits(_ tensors: QuantizedTensors) throws(TensorError) -> MatrixValues {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        let weight = try tensors.tensor(".weight", shape: [outputs, inputs], [.i8])
        let largest = try tensors.scales(".SCB", shape: [outputs]).values
        if tensors.contains(".weight_format") {
            let format = try tensors.tensor(".weight_format", [.u8]).bytes
            guard format == [0] else {
                throw tensors.error(".weight_format", "is \(format); only rows (0) are supported: save the model again")
            }
        }
        return try ZeroPointMatrix(
            tensors: tensors,
            codes: PackedCodes(try weight.flippingSigns(), layout: .bytes, bits: 8, columns: outputs, depth: inputs),
            bits: 8, groupSize: max(1, inputs), scales: largest.map { $0 / 127 },
            zeros: Array(repeating: 128, count: outputs)
        ).values()
    }

    private static func fourBits(_ tensors: QuantizedTensors) throws(TensorError) -> MatrixValues {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        let weight = try tensors.tensor(".weight", [.u8, .f32, .f16, .bf16])
        guard weight.byteCount == (outputs * inputs + 1) / 2 else {
            throw tensors.error(
                ".weight", "has \(weight.byteCount) bytes, which are not [\(outputs), \(inputs)] in four bits")
        }
        let state = try state(tensors)
        let scales = try scales(tensors, state, count: (outputs * inputs + state.blocksize - 1) / state.blocksize)
        let table = try tensors.scales(".weight.quant_map", shape: [16], canBeNegative: true).values
        let codes = PackedCodes(weight, layout: .highFirst, bits: 4, columns: outputs, depth: inputs)
        let unpacked = try codes.unpacked(width: inputs, on: tensors.device)
        guard inputs % state.blocksize == 0, state.blocksize % 2 == 0 else {
            // Blocks that go on in the next row: in f32, rounded once.
            let floats = unpacked.bytes.enumerated().map { table[Int($1)] * scales[$0 / state.blocksize] }
            return .plain(try Tensor(floats, shape: [outputs, inputs]))
        }
        let format = CodedFormat(.table, group: state.blocksize)
        return .coded(
            CodedWeights(
                format, codes: unpacked, scales: try Tensor(scales, shape: [outputs, inputs / state.blocksize]),
                table: table))
    }

    private static func state(_ tensors: QuantizedTensors) throws(TensorError) -> State {
        let prefix = ".weight.quant_state.bitsandbytes__"
        guard let kind = ["nf4", "fp4"].first(where: { tensors.contains(prefix + $0) }) else {
            throw tensors.error(".weight", "has no \"\(prefix)nf4\" and no \"\(prefix)fp4\" beside it", .missing)
        }
        let text = try tensors.tensor(prefix + kind, [.u8]).bytes
        guard let state = try? JSONDecoder().decode(State.self, from: Data(text)) else {
            throw tensors.error(prefix + kind, "is not JSON with \"blocksize\" and \"shape\"", .malformed)
        }
        guard state.shape == [tensors.outputs, tensors.inputs] else {
            throw tensors.error(
                prefix + kind,
                "says \(state.shape), the configuration needs [\(tensors.outputs), \(tensors.inputs)]")
        }
        guard (1...1 << 20).contains(state.blocksize), (1...1 << 20).contains(state.nested_blocksize ?? 1) else {
            throw tensors.error(
                prefix + kind, "has blocks of \(state.blocksize) and \(state.nested_blocksize ?? 1)", .malformed)
        }
        return state
    }

    private static func scales(_ tensors: QuantizedTensors, _ state: State, count: Int) throws(TensorError) -> [Float] {
        let name = ".weight.absmax"
        guard tensors.checkpoint.dtype(of: tensors.stem + name) == .u8 else {
            return try tensors.scales(name, shape: [count]).values
        }
        let codes = try tensors.tensor(name, shape: [count], [.u8]).bytes
        let map = try tensors.scales(".weight.nested_quant_map", shape: [256], canBeNegative: true).values
        guard let nested = state.nested_blocksize, let offset = state.nested_offset, offset.isFinite else {
            throw tensors.error(name, "is quantized, but its state has no \"nested_blocksize\" or no \"nested_offset\"")
        }
        let largest = try tensors.scales(
            ".weight.nested_absmax", shape: [(count + nested - 1) / nested]
        ).values
        return codes.enumerated().map { map[Int($1)] * largest[$0 / nested] + offset }
    }
}

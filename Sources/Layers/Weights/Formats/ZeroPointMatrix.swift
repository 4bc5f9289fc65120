import Tensors

/// Whole numbers of up to 8 bits with a scale and a zero point for every group of inputs: weight = scale · (q − zero).
///
/// What it is held as, the first that holds it exactly:
///
/// | held as                                   | where                                                            |
/// |-------------------------------------------|------------------------------------------------------------------|
/// | 4 bits                                    | every q − zero lies in −8…7                                      |
/// | 8 bits                                    | every q − zero lies in −128…127, of 8-bit numbers                |
/// | 4 or 8 bits with minimums, scale · zero   | those products are f32 without rounding (scales are of 16 bits)   |
/// | 8 bits                                    | other numbers of up to 4 bits                                     |
/// | f32, rounded once                         | the rest: scales in f32 with zero points for 8 bits, groups that are no multiple of 16 |
struct ZeroPointMatrix {
    let tensors: QuantizedTensors
    let codes: PackedCodes
    let bits: Int
    /// Inputs that share a scale.
    let groupSize: Int
    /// `[N, G]`.
    let scales: [Float]
    /// `[N, G]`.
    let zeros: [Int16]
    /// i32 `[K]`: which input stands at each place; whole groups of them.
    var order: Tensor?

    private var groups: Int { (tensors.inputs + groupSize - 1) / groupSize }

    func values() throws(TensorError) -> MatrixValues {
        let most = Int16((1 << bits) - 1)
        // One group may be cut into several: they have equal scales.
        let isOne = groupSize >= tensors.inputs
        let panelGroup = [64, 32, 16].first { isOne || groupSize % $0 == 0 }
        guard let panelGroup else { return try floats() }
        if bits <= 4, panelGroup >= 32, zeros.allSatisfy({ $0 <= 8 && most - $0 <= 7 }) {
            return try plain(GroupedFormat(bits: 4, group: panelGroup))
        }
        if bits > 4, zeros.allSatisfy({ $0 <= 128 && most - $0 <= 127 }) {
            return try plain(GroupedFormat(bits: 8, group: panelGroup))
        }
        let minimums = zip(scales, zeros).map { $0 * Float($1) }
        let isExact = zip(zip(scales, zeros), minimums)
            .allSatisfy { Double($0.0) * Double($0.1) == Double($1) && $1.isFinite }
        if panelGroup >= 32, isExact {
            let format = GroupedFormat.minimums(bits: bits <= 4 ? 4 : 8, group: panelGroup)
            let values = try codes.unpacked(width: width(format), order: order, on: tensors.device)
            return .grouped(
                GroupedWeights(
                    format, depth: tensors.inputs, values: values, scales: try spread(scales, format),
                    minimums: try spread(minimums, format), inputOrder: order))
        }
        if bits <= 4 { return try plain(GroupedFormat(bits: 8, group: panelGroup)) }
        return try floats()
    }

    private func width(_ format: GroupedFormat) -> Int { format.groups(tensors.inputs) * format.group }

    private func plain(_ format: GroupedFormat) throws(TensorError) -> MatrixValues {
        let values = try codes.unpacked(
            width: width(format), group: format.group, zeros: spread(zeros, format), order: order, on: tensors.device)
        return .grouped(
            GroupedWeights(
                format, depth: tensors.inputs, values: values, scales: try spread(scales, format), inputOrder: order))
    }

    /// What every group has, for the groups of a panel.
    private func spread<Value>(_ values: [Value], _ format: GroupedFormat) -> [Value] {
        let count = format.groups(tensors.inputs)
        return (0..<tensors.outputs).flatMap { n in
            (0..<count).map { values[n * groups + $0 * format.group / groupSize] }
        }
    }

    private func spread(_ values: [Float], _ format: GroupedFormat) throws(TensorError) -> Tensor {
        try Tensor(spread(values, format), shape: [tensors.outputs, format.groups(tensors.inputs)])
    }

    private func floats() throws(TensorError) -> MatrixValues {
        let inputs = tensors.inputs
        let codes = try codes.unpacked(width: inputs, on: tensors.device).bytes
        // Where each input stands among the groups.
        var places = Array(0..<inputs)
        for (place, input) in (order?.int32s ?? []).enumerated() { places[Int(input)] = place }
        let weights = (0..<tensors.outputs).flatMap { n in
            (0..<inputs).map { k in
                let group = n * groups + places[k] / groupSize
                return scales[group] * Float(Int16(codes[n * inputs + k]) - zeros[group])
            }
        }
        return .plain(try Tensor(weights, shape: [tensors.outputs, inputs]))
    }
}

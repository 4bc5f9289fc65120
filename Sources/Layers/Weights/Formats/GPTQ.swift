import Tensors

/// A matrix as GPTQ's tools write it (arXiv 2210.17323; AutoGPTQ, GPTQModel).
///
/// | tensor         | shape               |                                                                |
/// |----------------|---------------------|----------------------------------------------------------------|
/// | `STEM.qweight` | `[K · bits / 32, N]`| I32: each column is one string of bits, the lowest first         |
/// | `STEM.qzeros`  | `[G, N · bits / 32]`| I32: the zero points, each row such a string                     |
/// | `STEM.scales`  | `[G, N]`            | F16                                                            |
/// | `STEM.g_idx`   | `[K]`               | I32: the group of each input (`desc_act`); may be left out       |
enum GPTQ {
    static func read(
        _ tensors: QuantizedTensors, bits: Int?, groupSizes: [Int], zerosAreOneLess: Bool
    ) throws(TensorError) -> MatrixValues {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        let words = try tensors.tensor(".qweight", [.i32])
        let own = (words.shape.first ?? 0) * 32 / max(1, inputs)
        guard words.shape == [inputs * own / 32, outputs], inputs * own % 32 == 0, [2, 3, 4, 8].contains(own),
            own == bits ?? own
        else {
            throw tensors.error(
                ".qweight",
                "has shape \(words.shape), which is not [\(outputs), \(inputs)] in \(bits.map { "\($0)" } ?? "2, 3, 4 or 8") bits"
            )
        }
        let (scales, shape) = try tensors.scales(".scales", canBeNegative: true)
        guard shape.count == 2, shape[1] == outputs, let groupSize = tensors.groupSize(shape[0], among: groupSizes)
        else {
            throw tensors.error(".scales", "has shape \(shape), which are no groups of [\(outputs), \(inputs)]")
        }
        let groups = shape[0]
        let packed = try tensors.tensor(".qzeros", shape: [groups, outputs * own / 32], [.i32])
        let zeros = zeroPoints(packed.int32s, groups: groups, outputs: outputs, bits: own, addOne: zerosAreOneLess)
        return try ZeroPointMatrix(
            tensors: tensors,
            codes: PackedCodes(words, layout: .downInputs, bits: own, columns: outputs, depth: inputs),
            bits: own, groupSize: groupSize, scales: turned(scales, groups, outputs),
            zeros: turned(zeros, groups, outputs),
            order: try InputGroups.order(tensors, ".g_idx", groups: groups, groupSize: groupSize)
        ).values()
    }

    /// - Parameter addOne: as the tools do it: to the words, so that what writing has borrowed from the neighbour comes
    ///   back, or, of 3 bits, which are cut by the ends of words, to each number.
    private static func zeroPoints(_ words: [Int32], groups: Int, outputs: Int, bits: Int, addOne: Bool) -> [Int16] {
        let perRow = groups == 0 ? 0 : words.count / groups
        let ones: UInt32 = addOne && bits != 3 ? (0..<32 / UInt32(bits)).reduce(0) { $0 | 1 << ($1 * UInt32(bits)) } : 0
        return (0..<groups).flatMap { group in
            let row = words[group * perRow..<(group + 1) * perRow].map { UInt32(bitPattern: $0) &+ ones }
            return (0..<outputs).map { n in
                let zero = BitString.element(n, of: row, bits: bits)
                return Int16(addOne && bits == 3 ? (zero + 1) & 7 : zero)
            }
        }
    }

    /// `[G, N]` as `[N, G]`.
    static func turned<Value>(_ values: [Value], _ groups: Int, _ outputs: Int) -> [Value] {
        (0..<outputs).flatMap { n in (0..<groups).map { values[$0 * outputs + n] } }
    }
}

/// A matrix as AutoAWQ writes it (arXiv 2306.00978): four bits, eight outputs to a word.
///
/// | tensor         | shape         |                                                          |
/// |----------------|---------------|----------------------------------------------------------|
/// | `STEM.qweight` | `[K, N / 8]`  | I32: outputs 0, 2, 4, 6, 1, 3, 5, 7, the lowest bits first |
/// | `STEM.qzeros`  | `[G, N / 8]`  | I32: the zero points in the same order                    |
/// | `STEM.scales`  | `[G, N]`      | F16                                                      |
enum AWQ {
    private static let places = [0, 4, 1, 5, 2, 6, 3, 7]

    static func read(_ tensors: QuantizedTensors, groupSizes: [Int]) throws(TensorError) -> MatrixValues {
        let (outputs, inputs) = (tensors.outputs, tensors.inputs)
        guard outputs % 8 == 0 else {
            throw tensors.error(".qweight", "is for \(outputs) outputs, which are not whole words of eight")
        }
        let words = try tensors.tensor(".qweight", shape: [inputs, outputs / 8], [.i32])
        let (scales, shape) = try tensors.scales(".scales", canBeNegative: true)
        guard shape.count == 2, shape[1] == outputs, let groupSize = tensors.groupSize(shape[0], among: groupSizes)
        else {
            throw tensors.error(".scales", "has shape \(shape), which are no groups of [\(outputs), \(inputs)]")
        }
        let groups = shape[0]
        let packed = try tensors.tensor(".qzeros", shape: [groups, outputs / 8], [.i32]).int32s
        let zeros = (0..<groups * outputs).map { i in
            let (group, n) = (i / outputs, i % outputs)
            let word = UInt32(bitPattern: packed[group * (outputs / 8) + n / 8])
            return Int16(word >> UInt32(4 * places[n % 8]) & 15)
        }
        return try ZeroPointMatrix(
            tensors: tensors, codes: PackedCodes(words, layout: .awq, bits: 4, columns: outputs, depth: inputs),
            bits: 4,
            groupSize: groupSize, scales: GPTQ.turned(scales, groups, outputs),
            zeros: GPTQ.turned(zeros, groups, outputs)
        ).values()
    }
}

/// Whole numbers of a few bits, one behind the other, in words of 32.
enum BitString {
    static func element(_ index: Int, of words: [UInt32], bits: Int) -> UInt32 {
        let (word, shift) = (index * bits / 32, index * bits % 32)
        var window = UInt64(words[word])
        if shift + bits > 32 { window |= UInt64(words[word + 1]) << 32 }
        return UInt32(truncatingIfNeeded: window >> UInt64(shift)) & (1 << UInt32(bits) - 1)
    }
}

/// Groups of inputs that do not lie side by side.
enum InputGroups {
    /// Which input stands at each place when the groups are put in a row; nil where they are so already, or the file has no
    /// tensor of that name.
    ///
    /// - Throws: `TensorError` that names the tensor: a group that is not there, or one of another size than `groupSize`.
    static func order(
        _ tensors: QuantizedTensors, _ suffix: String, groups: Int, groupSize: Int
    ) throws(TensorError) -> Tensor? {
        guard tensors.contains(suffix) else { return nil }
        let groupOf = try tensors.tensor(suffix, shape: [tensors.inputs], [.i32, .i64]).wholeNumbers
        guard groupOf.enumerated().contains(where: { $1 != $0 / groupSize }) else { return nil }
        var members: [[Int32]] = Array(repeating: [], count: groups)
        for (input, group) in groupOf.enumerated() {
            guard group >= 0, group < groups else {
                throw tensors.error(suffix, "puts input \(input) into group \(group) of \(groups)")
            }
            members[group].append(Int32(input))
        }
        for (group, own) in members.enumerated() {
            let size = min(groupSize, tensors.inputs - group * groupSize)
            guard own.count == size else {
                throw tensors.error(
                    suffix, "puts \(own.count) inputs into group \(group); groups of \(size) are supported", .mismatch)
            }
        }
        return try Tensor(int32s: members.flatMap { $0 })
    }
}

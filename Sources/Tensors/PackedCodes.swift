internal import CKernels
internal import Glibc

/// Whole numbers of a few bits as a checkpoint packs them.
package struct PackedCodes: Sendable {
    package enum Layout: Sendable {
        /// Words of 32 bits `[K · bits / 32, N]`, of which each column is one string of bits (GPTQ).
        case downInputs
        /// Words `[K, N / 8]` of eight outputs of 4 bits, which stand in the order 0, 2, 4, 6, 1, 3, 5, 7 (AWQ).
        case awq
        /// Words `[N, words of a row]`, of which each row is one string of bits (compressed-tensors).
        case alongInputs
        /// Bytes with two weights of 4 bits each, the first in the high half, rows without gaps (bitsandbytes).
        case highFirst
        /// Bytes `[N, K]`.
        case bytes

        var kernelLayout: nephele_code_layout {
            switch self {
            case .downInputs: NEPHELE_CODES_DOWN_INPUTS
            case .awq: NEPHELE_CODES_AWQ
            case .alongInputs: NEPHELE_CODES_ALONG_INPUTS
            case .highFirst: NEPHELE_CODES_HIGH_FIRST
            case .bytes: NEPHELE_CODES_BYTES
            }
        }
    }

    private let source: Tensor
    private let layout: Layout
    private let bits: Int
    private let (columns, depth): (Int, Int)

    /// - Parameters:
    ///   - source: I32 in the layouts of words, else bytes.
    ///   - columns: N.
    ///   - depth: K.
    /// - Precondition: `source` holds so many.
    package init(_ source: Tensor, layout: Layout, bits: Int, columns: Int, depth: Int) {
        let needed =
            switch layout {
            case .downInputs: (depth * bits + 31) / 32 * columns * 4
            case .awq: depth * (columns / 8) * 4
            case .alongInputs: (depth * bits + 31) / 32 * columns * 4
            case .highFirst: (columns * depth + 1) / 2
            case .bytes: columns * depth
            }
        precondition(
            source.byteCount >= needed && (1...8).contains(bits) && (layout != .awq || columns % 8 == 0),
            "\(source.shape) of \(source.dtype) for \(columns)×\(depth) codes of \(bits) bits")
        (self.source, self.layout, self.bits, self.columns, self.depth) = (source, layout, bits, columns, depth)
    }

    /// One code to a byte, `[N, width]`; what is beyond the inputs is 0.
    ///
    /// - Parameters:
    ///   - width: at least K.
    ///   - zeros: `[N, width / group]`, subtracted from each: the bytes are then signed.
    ///   - order: i32 `[K]`, which input stands at each place.
    package func unpacked(
        width: Int, group: Int = 1, zeros: [Int16]? = nil, order: Tensor? = nil, on device: Device
    ) throws(TensorError) -> Tensor {
        precondition(width >= depth && zeros.map { $0.count == columns * (width / group) } ?? true)
        let codes = try Tensor(zeros: [columns, width], dtype: zeros == nil ? .u8 : .i8)
        withExtendedLifetime((source, order)) {
            func run(_ zeros: UnsafePointer<Int16>?) {
                let args = nephele_unpack_codes_args(
                    source: source.raw, codes: codes.raw.assumingMemoryBound(to: UInt8.self),
                    order: order.map { UnsafePointer($0.raw.assumingMemoryBound(to: Int32.self)) }, zeros: zeros,
                    columns: columns, depth: depth, width: width, group: group,
                    row_words: layout == .alongInputs ? source.width : 0, bits: Int32(bits),
                    layout: layout.kernelLayout)
                device.run(nephele_unpack_codes, args, count: columns, grain: 16)
            }
            if let zeros { zeros.withUnsafeBufferPointer { run($0.baseAddress) } } else { run(nil) }
        }
        return codes
    }
}

extension Tensor {
    /// The elements of an i32 tensor.
    package var int32s: [Int32] {
        precondition(dtype == .i32, "an i32 tensor is needed, not \(dtype) \(shape)")
        defer { withExtendedLifetime(storage) {} }
        return (0..<count).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
    }

    /// An i32 tensor of one dimension.
    package init(int32s elements: [Int32]) throws(TensorError) {
        try self.init(uninitialized: [elements.count], dtype: .i32)
        elements.withUnsafeBytes { source in
            if let base = source.baseAddress { raw.copyMemory(from: base, byteCount: source.count) }
        }
    }

    /// The same bytes as elements of another type.
    ///
    /// - Precondition: the shape has as many bytes.
    package func reinterpreted(as dtype: DType, shape: [Int]) -> Tensor {
        precondition(shape.reduce(dtype.size, *) == byteCount, "\(self.shape) of \(self.dtype) as \(shape) of \(dtype)")
        return Tensor(dtype: dtype, shape: shape, storage: storage, byteOffset: byteOffset)
    }

    /// A copy of bytes with the highest bit of each turned over: signed ones become unsigned, 128 above their value.
    package func flippingSigns() throws(TensorError) -> Tensor {
        precondition(dtype.size == 1, "bytes are needed, not \(dtype) \(shape)")
        let flipped = try Tensor(uninitialized: shape, dtype: .u8)
        let (source, target) = (
            raw.assumingMemoryBound(to: UInt8.self), flipped.raw.assumingMemoryBound(to: UInt8.self)
        )
        for i in 0..<count { target[i] = source[i] ^ 0x80 }
        return flipped
    }

    /// Whether one of the bytes is `byte`.
    package func contains(byte: UInt8) -> Bool {
        defer { withExtendedLifetime(storage) {} }
        return memchr(raw, Int32(byte), byteCount) != nil
    }
}

extension Tensor {
    /// The elements of an i32 or an i64 tensor.
    package var wholeNumbers: [Int] {
        guard dtype == .i64 else { return int32s.map { Int($0) } }
        defer { withExtendedLifetime(storage) {} }
        return (0..<count).map { Int(raw.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) }
    }
}

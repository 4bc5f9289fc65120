extension Tensor {
    /// An f32 tensor of elements as they travel: little-endian, row-major.
    ///
    /// - Throws: `TensorError.mismatch` when the bytes are not those of the shape.
    package init(f32 bytes: RawSpan, shape: [Int]) throws(TensorError) {
        let tensor = try Tensor(uninitialized: shape)
        guard bytes.byteCount == tensor.count * DType.f32.size else {
            throw TensorError(.mismatch, "\(bytes.byteCount) bytes are not \(shape) in f32")
        }
        bytes.withUnsafeBytes { source in
            if let base = source.baseAddress { tensor.raw.copyMemory(from: base, byteCount: source.count) }
        }
        self = tensor
    }

    /// Bytes of all elements.
    package var byteCount: Int { count * dtype.size }

    /// Whether the elements' bytes are those of `other`.
    package func hasBytes(of other: Tensor) -> Bool {
        defer { withExtendedLifetime((storage, other.storage)) {} }
        return UnsafeRawBufferPointer(start: raw, count: byteCount)
            .elementsEqual(UnsafeRawBufferPointer(start: other.raw, count: other.byteCount))
    }

    /// The elements' bytes, for the time of `body`.
    package func withBytes<Result, E: Error>(_ body: (RawSpan) throws(E) -> Result) throws(E) -> Result {
        defer { withExtendedLifetime(storage) {} }
        return try body(UnsafeRawBufferPointer(start: raw, count: byteCount).bytes)
    }
}

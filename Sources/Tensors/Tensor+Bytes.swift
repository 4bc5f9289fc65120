extension Tensor {
    /// An f32 tensor of elements as they travel: little-endian, row-major.
    ///
    /// - Throws: `TensorError.mismatch` when the bytes are not those of the shape.
    package init(f32 bytes: RawSpan, shape: [Int]) throws(TensorError) {
        try self.init(shape, ofByteCount: bytes.byteCount)
        bytes.withUnsafeBytes(fill)
    }

    /// As above, from a part of an array.
    package init(f32 bytes: ArraySlice<UInt8>, shape: [Int]) throws(TensorError) {
        try self.init(shape, ofByteCount: bytes.count)
        bytes.withUnsafeBytes(fill)
    }

    /// A tensor of bytes.
    ///
    /// - Throws: `TensorError.mismatch` when there are not as many as the shape has.
    package init(u8 bytes: [UInt8], shape: [Int]) throws(TensorError) {
        try self.init(uninitialized: shape, dtype: .u8)
        guard bytes.count == byteCount else { throw TensorError(.mismatch, "\(bytes.count) bytes are not \(shape)") }
        bytes.withUnsafeBytes(fill)
    }

    private init(_ shape: [Int], ofByteCount count: Int) throws(TensorError) {
        try self.init(uninitialized: shape)
        guard count == byteCount else { throw TensorError(.mismatch, "\(count) bytes are not \(shape) in f32") }
    }

    private func fill(from source: UnsafeRawBufferPointer) {
        if let base = source.baseAddress { raw.copyMemory(from: base, byteCount: source.count) }
    }

    /// Bytes of all elements.
    package var byteCount: Int { count * dtype.size }

    /// A copy of the elements' bytes.
    package var bytes: [UInt8] {
        defer { withExtendedLifetime(storage) {} }
        return Array(UnsafeRawBufferPointer(start: raw, count: byteCount))
    }

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

    /// The elements' bytes, to be written, for the time of `body`; of modules that own pointers.
    package func withMutableBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        defer { withExtendedLifetime(storage) {} }
        return body(UnsafeMutableRawBufferPointer(start: raw, count: byteCount))
    }
}

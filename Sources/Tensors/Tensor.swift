/// A row-major view on storage.
package struct Tensor: Sendable {
    package let dtype: DType
    /// The extent of each dimension, outermost first.
    package let shape: [Int]
    package let storage: Storage
    /// The first element's distance from the start of the storage, in bytes.
    package let byteOffset: Int

    /// Elements in all.
    package let count: Int

    package init(dtype: DType, shape: [Int], storage: Storage, byteOffset: Int = 0) {
        let count = shape.reduce(1, *)
        precondition(
            shape.allSatisfy { $0 >= 0 } && byteOffset >= 0 && byteOffset + count * dtype.size <= storage.byteCount,
            "a view \(shape) of \(dtype) at byte \(byteOffset) leaves its storage of \(storage.byteCount) bytes")
        self.dtype = dtype
        self.shape = shape
        self.storage = storage
        self.byteOffset = byteOffset
        self.count = count
    }

    /// A zeroed f32 tensor.
    package init(zeros shape: [Int], dtype: DType = .f32) throws(TensorError) {
        let storage = try Storage(byteCount: shape.reduce(1, *) * dtype.size)
        self.init(dtype: dtype, shape: shape, storage: storage)
    }

    /// An f32 tensor that holds anything, for an operation to fill.
    package init(uninitialized shape: [Int], dtype: DType = .f32) throws(TensorError) {
        let storage = try Storage(byteCount: shape.reduce(1, *) * dtype.size, zeroed: false)
        self.init(dtype: dtype, shape: shape, storage: storage)
    }

    /// An f32 tensor of the given elements.
    package init(_ elements: [Float], shape: [Int]) throws(TensorError) {
        precondition(elements.count == shape.reduce(1, *), "\(elements.count) elements for shape \(shape)")
        try self.init(zeros: shape)
        elements.withUnsafeBytes { source in
            if let base = source.baseAddress { storage.bytes.copyMemory(from: base, byteCount: source.count) }
        }
    }

    /// The same elements in another shape.
    package func reshaped(_ shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count, "cannot see \(self.shape) as \(shape)")
        return Tensor(dtype: dtype, shape: shape, storage: storage, byteOffset: byteOffset)
    }

    /// Rows [begin, end) of the outermost dimension.
    package func rows(_ range: Range<Int>) -> Tensor {
        precondition(
            !shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
        let rowSize = shape.dropFirst().reduce(1, *) * dtype.size
        return Tensor(
            dtype: dtype, shape: [range.count] + shape.dropFirst(), storage: storage,
            byteOffset: byteOffset + range.lowerBound * rowSize)
    }

    /// The elements of an f32 tensor, row-major.
    package var floats: [Float] { Array(UnsafeBufferPointer(start: UnsafePointer(f32), count: count)) }

    /// Copies another f32 tensor's elements here.
    package func copy(from other: Tensor) {
        precondition(other.count == count && other.dtype == dtype, "cannot copy \(other.shape) to \(shape)")
        raw.copyMemory(from: other.raw, byteCount: count * dtype.size)
    }

    /// Sets all elements to zero.
    package func clear() { raw.initializeMemory(as: UInt8.self, repeating: 0, count: count * dtype.size) }

    /// Writes elements to an f32 tensor, starting at element `offset`.
    package func write(_ elements: [Float], at offset: Int = 0) {
        precondition(
            offset >= 0 && offset + elements.count <= count, "\(elements.count) elements at \(offset) of \(shape)")
        elements.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { (f32 + offset).update(from: base, count: source.count) }
        }
    }

    package subscript(index: Int) -> Float {
        get {
            precondition(index >= 0 && index < count, "element \(index) of \(shape)")
            return f32[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count, "element \(index) of \(shape)")
            f32[index] = newValue
        }
    }

    var raw: UnsafeMutableRawPointer { storage.bytes + byteOffset }

    /// The first element of an f32 tensor.
    var f32: UnsafeMutablePointer<Float> {
        precondition(dtype == .f32, "an f32 tensor is needed, not \(dtype) \(shape)")
        return raw.assumingMemoryBound(to: Float.self)
    }

    /// The first element of an i8 tensor.
    var i8: UnsafeMutablePointer<Int8> {
        precondition(dtype == .i8, "an i8 tensor is needed, not \(dtype) \(shape)")
        return raw.assumingMemoryBound(to: Int8.self)
    }

    /// The innermost extent, and how many rows of it there are.
    package var width: Int { shape.last ?? 1 }
    package var rowCount: Int { width == 0 ? 0 : count / width }
}

extension Tensor {
    /// A copy of the chosen rows, in that order: `[indices.count, width]`.
    package func selectingRows(_ indices: [Int]) throws(TensorError) -> Tensor {
        let selected = try Tensor(uninitialized: [indices.count, width], dtype: dtype)
        selected.copyRows(indices, from: self)
        return selected
    }

    /// A matrix with rows and columns exchanged.
    package func transposed() throws(TensorError) -> Tensor {
        precondition(shape.count == 2, "a matrix has two dimensions, not \(shape)")
        let (rows, columns, size) = (shape[0], shape[1], dtype.size)
        let turned = try Tensor(uninitialized: [columns, rows], dtype: dtype)
        for row in 0..<rows {
            for column in 0..<columns {
                (turned.raw + (column * rows + row) * size).copyMemory(
                    from: raw + (row * columns + column) * size, byteCount: size)
            }
        }
        return turned
    }

    /// Copies the chosen rows of `other`, in that order, to all rows of this one.
    func copyRows(_ indices: [Int], from other: Tensor) {
        precondition(
            other.width == width && rowCount == indices.count && other.dtype == dtype,
            "\(indices.count) rows of \(other.shape) into \(shape)")
        let rowSize = width * dtype.size
        for (row, index) in indices.enumerated() {
            precondition(index >= 0 && index < other.rowCount, "row \(index) of \(other.shape)")
            (raw + row * rowSize).copyMemory(from: other.raw + index * rowSize, byteCount: rowSize)
        }
    }

    /// Copies the rows of `other` to the chosen rows, in that order.
    package func replaceRows(_ indices: [Int], with other: Tensor) {
        precondition(
            other.width == width && other.rowCount == indices.count && other.dtype == dtype,
            "\(indices.count) rows of \(shape) by \(other.shape)")
        let rowSize = width * dtype.size
        for (row, index) in indices.enumerated() {
            precondition(index >= 0 && index < rowCount, "row \(index) of \(shape)")
            (raw + index * rowSize).copyMemory(from: other.raw + row * rowSize, byteCount: rowSize)
        }
    }

    /// Whether no element of an f32 tensor is infinite or not a number.
    package var isFinite: Bool { UnsafeBufferPointer(start: f32, count: count).allSatisfy { $0.isFinite } }
}

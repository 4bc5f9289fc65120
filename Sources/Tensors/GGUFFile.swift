package import GGUF

/// A GGUF file opened for reading: its header, and tensors as floats or as blocks of whole numbers.
package final class GGUFFile: Sendable {
    package let header: GGUFHeader
    private let files: [ReadableFile]

    /// - Throws: `TensorError` that names the file, and the key or tensor at fault.
    package init(path: String) throws(TensorError) {
        do { header = try GGUFHeader(path: path) } catch {
            throw TensorError(error.code == .unreadable ? .unreadable : .malformed, error.message)
        }
        files = try header.files.map { part throws(TensorError) in
            let file = try ReadableFile(path: part.path)
            guard file.size == part.size else {
                throw TensorError(.unreadable, "\(part.path) changed while it was read")
            }
            return file
        }
    }

    package var path: String { header.path }

    /// A tensor of floats, as it is stored.
    ///
    /// - Parameter rows: those of the outermost dimension that are read; all by default.
    /// - Throws: `TensorError.missing` when there is none of that name, `.mismatch` when it is of another shape than
    ///   `shape` or not of floats, `.unreadable` when the file has shrunk.
    package func tensor(
        _ name: String, shape: [Int]? = nil, rows: Range<Int>? = nil
    ) throws(TensorError) -> Tensor {
        let info = try info(name, shape: shape)
        let dtype: DType
        switch info.type {
        case .f32: dtype = .f32
        case .f16: dtype = .f16
        case .bf16: dtype = .bf16
        case .q8_0, .q5_1, .q5_0, .q4_1, .q4_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL, .iq4_XS, .mxfp4:
            throw TensorError(
                .mismatch, "tensor \"\(name)\" in \(path) is \(info.type.name); floats (F32, F16, BF16) are needed")
        case .other: throw unsupported(name, info.type)
        }
        return try files[info.file].tensor(name, at: info.offset, shape: info.shape, dtype: dtype, rows: rows)
    }

    /// A matrix that is stored in blocks; nil for one of floats.
    ///
    /// - Parameters:
    ///   - shape: `[N, K]`; or `[E, N, K]` for several, of which `rows` names one.
    /// - Throws: `TensorError` as `tensor`, and `.mismatch` for a type that is not supported.
    package func blocks(
        _ name: String, shape: [Int], rows: Range<Int>? = nil
    ) throws(TensorError) -> BlockMatrix? {
        let info = try info(name, shape: shape)
        if case .other = info.type { throw unsupported(name, info.type) }
        guard let type = BlockMatrix.Format(info.type) else { return nil }
        guard shape.count == 2 || shape.count == 3 && rows?.count == 1, let depth = shape.last else {
            throw TensorError(.mismatch, "tensor \"\(name)\" in \(path) has shape \(shape); blocks make a matrix")
        }
        let width = shape[0] == 0 ? 0 : info.byteCount / shape[0]
        let bytes = try files[info.file].tensor(
            name, at: info.offset, shape: [shape[0], width], dtype: .u8, rows: rows)
        let outputs = shape.count == 3 ? shape[1] : bytes.rowCount
        return BlockMatrix(
            format: type, depth: depth, rows: bytes.reshaped([outputs, outputs == 0 ? 0 : bytes.count / outputs]))
    }

    private func info(_ name: String, shape: [Int]?) throws(TensorError) -> GGUFHeader.TensorInfo {
        guard let info = header.tensors[name] else {
            throw TensorError(.missing, "\(path) has no tensor \"\(name)\"")
        }
        if let shape, shape != info.shape {
            throw TensorError(
                .mismatch, "tensor \"\(name)\" in \(path) has shape \(info.shape), its metadata need \(shape)")
        }
        return info
    }

    private func unsupported(_ name: String, _ type: GGUFTensorType) -> TensorError {
        let known = GGUFTensorType.supported.map(\.name).joined(separator: ", ")
        return TensorError(
            .mismatch, "tensor \"\(name)\" in \(path) is \(type.name), which is not supported; known: \(known)")
    }
}

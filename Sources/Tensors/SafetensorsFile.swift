import Foundation

/// A safetensors file opened for reading: eight bytes of header length, a JSON header, the data.
///
/// Tensors are read with `pread`, never mapped, so that a file truncated meanwhile is an error and not a signal.
package final class SafetensorsFile: Sendable {
    /// What the header says of a tensor.
    package struct Entry: Sendable {
        package var dtype: DType
        package var shape: [Int]
        /// Bytes from the start of the data.
        package var begin: Int
        package var end: Int
    }

    package let path: String
    package let entries: [String: Entry]
    /// Tensors of types that are not read: the type by name.
    package let otherTypes: [String: String]
    private let file: ReadableFile
    private let dataOffset: Int

    /// The longest header that is read, in bytes.
    package static let headerLimit = 64 << 20

    /// - Throws: `TensorError` that names the file: it cannot be read, is truncated, or its header is not valid.
    package init(path: String) throws(TensorError) {
        self.path = path
        file = try ReadableFile(path: path)
        let size = file.size
        guard size >= 8 else { throw TensorError(.malformed, "\(path) has \(size) bytes, too few for safetensors") }
        let prefix = try file.bytes(8, at: 0, "its first bytes")
        let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Self.headerLimit), Int(length) <= size - 8 else {
            throw TensorError(
                .malformed, "\(path) announces a header of \(length) bytes in a file of \(size): truncated?")
        }
        let header = try file.bytes(Int(length), at: 8, "its header")
        dataOffset = 8 + Int(length)
        (entries, otherTypes) = try SafetensorsHeader.parse(Data(header), path: path, dataSize: size - dataOffset)
    }

    /// Reads a tensor as it is stored.
    ///
    /// - Parameter rows: those of the outermost dimension that are read; all by default.
    /// - Throws: `TensorError.missing` when there is none of that name, `.mismatch` when it has another shape than
    ///   `shape` (where given), `.unreadable` when the file has shrunk.
    package func tensor(
        _ name: String, shape: [Int]? = nil, rows: Range<Int>? = nil
    ) throws(TensorError) -> Tensor {
        guard let entry = entries[name] else {
            throw TensorError(.missing, "\(path) has no tensor \"\(name)\"")
        }
        if let shape, shape != entry.shape {
            throw TensorError(
                .mismatch, "tensor \"\(name)\" in \(path) has shape \(entry.shape), the configuration needs \(shape)")
        }
        return try file.tensor(
            name, at: dataOffset + entry.begin, shape: entry.shape, dtype: entry.dtype, rows: rows)
    }
}

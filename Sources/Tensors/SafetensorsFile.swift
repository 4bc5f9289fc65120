import Foundation
import Glibc

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
    private let descriptor: Int32
    private let dataOffset: Int

    /// The longest header that is read, in bytes.
    package static let headerLimit = 64 << 20

    /// - Throws: `TensorError` that names the file: it cannot be read, is truncated, or its header is not valid.
    package init(path: String) throws(TensorError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw TensorError(.unreadable, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        do throws(TensorError) {
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                throw TensorError(.unreadable, "\(path) is not a regular file")
            }
            let size = Int(status.st_size)
            guard size >= 8 else { throw TensorError(.malformed, "\(path) has \(size) bytes, too few for safetensors") }
            let prefix = try Self.read(descriptor, path: path, offset: 0, count: 8)
            let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= UInt64(Self.headerLimit), Int(length) <= size - 8 else {
                throw TensorError(
                    .malformed, "\(path) announces a header of \(length) bytes in a file of \(size): truncated?")
            }
            let header = try Self.read(descriptor, path: path, offset: 8, count: Int(length))
            dataOffset = 8 + Int(length)
            entries = try SafetensorsHeader.parse(Data(header), path: path, dataSize: size - dataOffset)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Reads a tensor as it is stored.
    ///
    /// - Throws: `TensorError.missing` when there is none of that name, `.mismatch` when it has another shape than
    ///   `shape` (where given), `.unreadable` when the file has shrunk.
    package func tensor(_ name: String, shape: [Int]? = nil) throws(TensorError) -> Tensor {
        guard let entry = entries[name] else {
            throw TensorError(.missing, "\(path) has no tensor \"\(name)\"")
        }
        if let shape, shape != entry.shape {
            throw TensorError(
                .mismatch, "tensor \"\(name)\" in \(path) has shape \(entry.shape), the configuration needs \(shape)")
        }
        let tensor = try Tensor(zeros: entry.shape, dtype: entry.dtype)
        var done = 0
        let count = entry.end - entry.begin
        while done < count {
            let n = pread(descriptor, tensor.raw + done, count - done, off_t(dataOffset + entry.begin + done))
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else {
                throw TensorError(
                    .unreadable, "\(path) ended within tensor \"\(name)\": the file is truncated or unreadable")
            }
            done += n
        }
        return tensor
    }

    private static func read(
        _ descriptor: Int32, path: String, offset: Int, count: Int
    ) throws(TensorError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let n = bytes.withUnsafeMutableBytes { buffer in
                buffer.baseAddress.map { pread(descriptor, $0 + done, count - done, off_t(offset + done)) } ?? 0
            }
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else { throw TensorError(.unreadable, "\(path) ended after \(offset + done) bytes") }
            done += n
        }
        return bytes
    }
}

import Glibc

/// A regular file opened for reading with `pread`, never mapped, so that one truncated meanwhile is an error and not a
/// signal.
final class ReadableFile: Sendable {
    let path: String
    let size: Int
    let descriptor: Int32
    /// Who may have written it: the file's owner.
    let owner: UInt32

    /// - Throws: `TensorError.unreadable` that names the file.
    init(path: String) throws(TensorError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw TensorError(.unreadable, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw TensorError(.unreadable, "\(path) is not a regular file")
        }
        size = Int(status.st_size)
        owner = status.st_uid
    }

    deinit { close(descriptor) }

    /// Reads `count` bytes from `offset` on.
    ///
    /// - Throws: `TensorError.unreadable` when the file ends before; `what` names what was read.
    func read(
        _ count: Int, at offset: Int, into target: UnsafeMutableRawPointer, _ what: @autoclosure () -> String
    ) throws(TensorError) {
        var done = 0
        while done < count {
            let n = pread(descriptor, target + done, count - done, off_t(offset + done))
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else {
                throw TensorError(.unreadable, "\(path) ended within \(what()): the file is truncated or unreadable")
            }
            done += n
        }
    }

    /// A tensor that lies at `offset`, or some rows of its outermost dimension.
    func tensor(
        _ name: String, at offset: Int, shape: [Int], dtype: DType, rows: Range<Int>?
    ) throws(TensorError) -> Tensor {
        var (shape, offset) = (shape, offset)
        if let rows, let extent = shape.first {
            guard rows.lowerBound >= 0, rows.upperBound <= extent else {
                throw TensorError(.mismatch, "tensor \"\(name)\" in \(path) has \(extent) rows, not \(rows)")
            }
            offset += shape.dropFirst().reduce(dtype.size * rows.lowerBound, *)
            shape[0] = rows.count
        }
        let tensor = try Tensor(uninitialized: shape, dtype: dtype)
        try read(tensor.count * dtype.size, at: offset, into: tensor.raw, "tensor \"\(name)\"")
        return tensor
    }

    func bytes(_ count: Int, at offset: Int, _ what: @autoclosure () -> String) throws(TensorError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: TensorError?
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            do throws(TensorError) { try read(count, at: offset, into: base, what()) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}

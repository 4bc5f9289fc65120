package import Foundation

/// Writes tensors as one safetensors file.
package enum SafetensorsWriter {
    private struct Field: Encodable {
        var dtype: String
        var shape: [Int]
        var data_offsets: [Int]
    }

    /// The file's bytes; tensors in order of their names.
    package static func encode(_ tensors: [String: Tensor]) throws(TensorError) -> Data {
        var file = try header(tensors.mapValues { ($0.dtype, $0.shape) })
        for (_, tensor) in tensors.sorted(by: { $0.key < $1.key }) { file.append(bytes(of: tensor)) }
        return file
    }

    /// Writes tensors that come one at a time, in order of their names.
    ///
    /// - Parameters:
    ///   - plan: type and shape of each.
    ///   - tensor: the tensor of a name, as planned.
    /// - Throws: `TensorError.unwritable` when the file cannot be written, and what `tensor` throws.
    package static func write(
        _ plan: [String: (dtype: DType, shape: [Int])], to path: String,
        tensor: (String) throws(TensorError) -> Tensor
    ) throws(TensorError) {
        let head = try header(plan)
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw TensorError(.unwritable, "cannot create \(path)") }
        func append(_ data: Data) throws(TensorError) {
            do { try file.write(contentsOf: data) } catch {
                throw TensorError(.unwritable, "cannot write \(path): \(error.localizedDescription)")
            }
        }
        try append(head)
        for (name, planned) in plan.sorted(by: { $0.key < $1.key }) {
            let next = try tensor(name)
            precondition(
                next.dtype == planned.dtype && next.shape == planned.shape,
                "\"\(name)\" is \(next.dtype) \(next.shape), planned was \(planned)")
            try append(bytes(of: next))
        }
        do { try file.close() } catch {
            throw TensorError(.unwritable, "cannot finish \(path): \(error.localizedDescription)")
        }
    }

    /// The same, beside the file, which is then put in its place: it is there whole, or as it was, whenever the process ends.
    ///
    /// What a killed process left beside the file (`PATH.part`) is written over: one process at a time writes it.
    package static func replace(
        _ plan: [String: (dtype: DType, shape: [Int])], at path: String,
        tensor: (String) throws(TensorError) -> Tensor
    ) throws(TensorError) {
        let beside = path + ".part"
        do throws(TensorError) {
            try write(plan, to: beside, tensor: tensor)
            do {
                let file = try FileHandle(forWritingTo: URL(fileURLWithPath: beside))
                defer { try? file.close() }
                try file.synchronize()
            } catch { throw TensorError(.unwritable, "cannot finish \(beside): \(error.localizedDescription)") }
            guard rename(beside, path) == 0 else {
                throw TensorError(.unwritable, "cannot put \(beside) in its place: \(String(cString: strerror(errno)))")
            }
        } catch {
            try? FileManager.default.removeItem(atPath: beside)
            throw error
        }
    }

    private static func bytes(of tensor: Tensor) -> Data {
        Data(bytes: tensor.raw, count: tensor.count * tensor.dtype.size)
    }

    private static func header(_ tensors: [String: (dtype: DType, shape: [Int])]) throws(TensorError) -> Data {
        var fields: [String: Field] = [:]
        var end = 0
        for (name, (dtype, shape)) in tensors.sorted(by: { $0.key < $1.key }) {
            let begin = end
            end += shape.reduce(dtype.size, *)
            fields[name] = Field(dtype: dtype.rawValue, shape: shape, data_offsets: [begin, end])
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var header: Data
        do { header = try encoder.encode(fields) } catch {
            throw TensorError(.malformed, "tensor names that JSON cannot hold")
        }
        while header.count % 8 != 0 { header.append(0x20) }
        var head = Data()
        withUnsafeBytes(of: UInt64(header.count).littleEndian) { head.append(contentsOf: $0) }
        return head + header
    }
}

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
        var fields: [String: Field] = [:]
        var data = Data()
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            let begin = data.count
            data.append(Data(bytes: tensor.raw, count: tensor.count * tensor.dtype.size))
            fields[name] = Field(
                dtype: tensor.dtype.rawValue, shape: tensor.shape, data_offsets: [begin, data.count])
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var header: Data
        do { header = try encoder.encode(fields) } catch {
            throw TensorError(.malformed, "tensor names that JSON cannot hold")
        }
        while header.count % 8 != 0 { header.append(0x20) }
        var file = Data()
        withUnsafeBytes(of: UInt64(header.count).littleEndian) { file.append(contentsOf: $0) }
        file.append(header)
        file.append(data)
        return file
    }
}

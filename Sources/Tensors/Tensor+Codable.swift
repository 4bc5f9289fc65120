internal import Foundation

/// A tensor as its type, its shape and the bytes of its elements: little-endian, row-major.
extension Tensor: Codable {
    private enum CodingKeys: CodingKey { case dtype, shape, bytes }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let name = try values.decode(String.self, forKey: .dtype)
        let shape = try values.decode([Int].self, forKey: .shape)
        let bytes = try values.decode(Data.self, forKey: .bytes)
        guard let dtype = DType(rawValue: name) else {
            throw DecodingError.dataCorruptedError(
                forKey: .dtype, in: values, debugDescription: "\"\(name)\" is no type of elements")
        }
        var count = dtype.size
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow else {
                throw DecodingError.dataCorruptedError(
                    forKey: .shape, in: values, debugDescription: "a tensor of shape \(shape)")
            }
            count = product
        }
        guard count == bytes.count else {
            throw DecodingError.dataCorruptedError(
                forKey: .bytes, in: values, debugDescription: "\(bytes.count) bytes are not \(dtype) \(shape)")
        }
        let tensor = try Tensor(uninitialized: shape, dtype: dtype)
        bytes.withUnsafeBytes { source in
            if let base = source.baseAddress { tensor.raw.copyMemory(from: base, byteCount: source.count) }
        }
        self = tensor
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(dtype.rawValue, forKey: .dtype)
        try values.encode(shape, forKey: .shape)
        try values.encode(Data(bytes), forKey: .bytes)
    }
}

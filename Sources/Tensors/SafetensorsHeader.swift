import Foundation

/// The JSON header of a safetensors file.
enum SafetensorsHeader {
    private struct Field: Decodable {
        var dtype: String
        var shape: [Int]
        var data_offsets: [Int]
    }

    /// One value of the header: a tensor, or the free-form `__metadata__`.
    private enum Value: Decodable {
        case tensor(Field)
        case metadata

        init(from decoder: any Decoder) throws {
            if decoder.codingPath.last?.stringValue == "__metadata__" {
                self = .metadata
            } else {
                self = .tensor(try Field(from: decoder))
            }
        }
    }

    /// - Throws: `TensorError.malformed` when a range leaves the data, ranges overlap, or a range and its shape
    ///   disagree.
    static func parse(
        _ header: Data, path: String, dataSize: Int
    ) throws(TensorError) -> (entries: [String: SafetensorsFile.Entry], others: [String: String]) {
        let values: [String: Value]
        do {
            values = try JSONDecoder().decode([String: Value].self, from: header)
        } catch {
            throw TensorError(.malformed, "the header of \(path) is not a safetensors header: \(Self.brief(error))")
        }
        var entries: [String: SafetensorsFile.Entry] = [:]
        var others: [String: String] = [:]
        for (name, value) in values {
            guard case .tensor(let field) = value else { continue }
            guard let dtype = DType(rawValue: field.dtype) else {
                // Other types may be there; only asking for such a tensor is an error.
                others[name] = field.dtype
                continue
            }
            guard field.data_offsets.count == 2, field.shape.count <= 8 else {
                throw TensorError(.malformed, "tensor \"\(name)\" in \(path) has a malformed header entry")
            }
            let (begin, end) = (field.data_offsets[0], field.data_offsets[1])
            guard begin >= 0, begin <= end, end <= dataSize else {
                throw TensorError(
                    .malformed,
                    "tensor \"\(name)\" in \(path) lies at bytes \(begin)..<\(end) of \(dataSize): the file is truncated"
                )
            }
            guard let count = elementCount(field.shape), let bytes = multiply(count, dtype.size), bytes == end - begin
            else {
                throw TensorError(
                    .malformed,
                    "tensor \"\(name)\" in \(path) has shape \(field.shape) of \(field.dtype) but \(end - begin) bytes")
            }
            entries[name] = .init(dtype: dtype, shape: field.shape, begin: begin, end: end)
        }
        try refuseOverlaps(entries, path: path)
        return (entries, others)
    }

    private static func refuseOverlaps(
        _ entries: [String: SafetensorsFile.Entry], path: String
    ) throws(TensorError) {
        var last = 0
        for (name, entry) in entries.sorted(by: { $0.value.begin < $1.value.begin }) where entry.end > entry.begin {
            guard entry.begin >= last else {
                throw TensorError(.malformed, "tensor \"\(name)\" in \(path) overlaps another one")
            }
            last = entry.end
        }
    }

    private static func elementCount(_ shape: [Int]) -> Int? {
        var count = 1
        for extent in shape {
            guard extent >= 0, let product = multiply(count, extent) else { return nil }
            count = product
        }
        return count
    }

    private static func multiply(_ a: Int, _ b: Int) -> Int? {
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? nil : product
    }

    private static func brief(_ error: any Error) -> String {
        if case DecodingError.keyNotFound(let key, _) = error { return "no \"\(key.stringValue)\"" }
        if case DecodingError.typeMismatch(_, let context) = error { return context.debugDescription }
        return "not valid JSON"
    }
}

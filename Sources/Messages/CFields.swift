internal import CProtobufC

// Reading and writing the fields of generated C structs.

extension ProtobufCBinaryData {
    var array: [UInt8] { [UInt8](UnsafeBufferPointer(start: data, count: data == nil ? 0 : len)) }

    /// - Throws: `MessageError` when the bytes are not UTF-8.
    func text(_ field: String) throws -> String {
        guard let data, len > 0 else { return "" }
        let bytes = UnsafeBufferPointer(start: data, count: len)
        // Most text is ASCII, and validating it takes ten times as long as seeing that.
        if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw MessageError(message: "field \(field) is not UTF-8; send text as UTF-8")
        }
        return text
    }
}

/// A `repeated` message field as Swift values.
func readAll<T: CCodable>(
    _ type: T.Type, _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<T.C>?>?, _ count: Int
) throws -> [T] {
    guard let pointers else { return [] }
    return try UnsafeBufferPointer(start: pointers, count: count).map { pointer in
        guard let pointer else { throw MessageError(message: "a repeated field of \(T.self) holds no message") }
        return try T(reading: pointer.pointee)
    }
}

/// A `repeated` field of numbers.
func readAll<Number>(_ numbers: UnsafeMutablePointer<Number>?, _ count: Int) -> [Number] {
    [Number](UnsafeBufferPointer(start: numbers, count: numbers == nil ? 0 : count))
}

/// A count or size from outside as `Int`.
/// - Throws: `MessageError` when it does not fit.
func size(_ value: UInt64, _ field: String) throws -> Int {
    guard let size = Int(exactly: value) else {
        throw MessageError(message: "field \(field) is \(value), beyond any size; send less")
    }
    return size
}

extension Int {
    /// For a field that is a count: negative is a programmer's mistake.
    var wire: UInt64 {
        precondition(self >= 0, "a count is \(self); counts are not negative")
        return UInt64(self)
    }
}

extension Duration {
    /// Whole microseconds, at least 0; saturates.
    package var microseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (micros, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max : micros.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000_000).partialValue
    }

    /// From a field: values beyond a century count as a century, so that deadlines can be added up.
    init(wireMicroseconds value: UInt64) {
        self = .microseconds(Int64(min(value, 3_155_760_000_000_000)))
    }
}

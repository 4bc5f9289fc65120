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

/// A message field that has to be there.
/// - Throws: `MessageError` when it is not.
func read<T: CCodable>(_ type: T.Type, _ pointer: UnsafeMutablePointer<T.C>?, _ field: String) throws -> T {
    guard let pointer else { throw MessageError(message: "field \(field) is missing: update the older side") }
    return try T(reading: pointer.pointee)
}

/// The case of an enumeration that has to be there.
/// - Throws: `MessageError` when the number is absent or names no case.
func read<T: RawRepresentable<UInt32>>(_ type: T.Type, _ value: UInt32?, _ field: String) throws -> T {
    guard let value, let known = T(rawValue: value) else {
        throw MessageError(
            message: "field \(field) is \(value.map(String.init) ?? "missing"), which is no \(T.self): "
                + "update the older side")
    }
    return known
}

extension Int {
    /// A count or size from outside.
    /// - Throws: `MessageError` when it does not fit.
    init(wire value: UInt64, _ field: String) throws {
        guard let size = Int(exactly: value) else {
            throw MessageError(message: "field \(field) is \(value), beyond any size; send less")
        }
        self = size
    }

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

    /// Whole milliseconds, at least 0; saturates.
    var milliseconds: UInt64 { microseconds / 1000 }

    /// From a field: values beyond a century count as a century, so that deadlines can be added up.
    init(wireMicroseconds value: UInt64) {
        self = .microseconds(Int64(min(value, 3_155_760_000_000_000)))
    }

    /// From a field; bounded as `init(wireMicroseconds:)`.
    init(wireMilliseconds value: some BinaryInteger) {
        self = .milliseconds(Int64(min(UInt64(clamping: value), 3_155_760_000_000)))
    }
}

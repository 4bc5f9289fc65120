/// What is written as JSON with every answer and every token: `Encodable`'s containers would cost more than all else that a
/// stream's chunk needs.
protocol JSONWritable {
    func write(to json: inout JSONWriter)
}

/// A value that is written once, where it is made.
struct WrittenJSON: JSONWritable {
    private let body: (inout JSONWriter) -> Void

    init(_ body: @escaping (inout JSONWriter) -> Void) { self.body = body }

    func write(to json: inout JSONWriter) { body(&json) }
}

/// Writes JSON (RFC 8259) as UTF-8. Who calls it sees to it that fields stand in objects.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    /// Whether a value stands before, in the same object or array.
    private var needsComma = false

    init(_ value: some JSONWritable) {
        bytes.reserveCapacity(512)
        value.write(to: &self)
    }

    // MARK: Objects and arrays

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func array<Element>(_ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void) {
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        for element in elements {
            separate()
            write(&self, element)
            needsComma = true
        }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func key(_ name: String) {
        separate()
        string(name)
        bytes.append(UInt8(ascii: ":"))
    }

    // MARK: Fields

    mutating func field(_ name: String, _ write: (inout JSONWriter) -> Void) {
        key(name)
        write(&self)
        needsComma = true
    }

    mutating func field(_ name: String, _ value: String) { field(name) { $0.string(value) } }
    mutating func field(_ name: String, _ value: Int) { field(name) { $0.number(value) } }
    mutating func field(_ name: String, _ value: some JSONWritable) { field(name) { value.write(to: &$0) } }
    mutating func field(_ name: String, _ values: [some JSONWritable]) {
        field(name) { $0.array(values) { $1.write(to: &$0) } }
    }

    /// Nothing where there is no value.
    mutating func field(_ name: String, ifPresent value: String?) {
        if let value { field(name, value) }
    }

    mutating func field(_ name: String, ifPresent value: (some JSONWritable)?) {
        if let value { field(name, value) }
    }

    mutating func field(_ name: String, ifPresent values: [some JSONWritable]?) {
        if let values { field(name, values) }
    }

    /// `null` where there is no value.
    mutating func field(_ name: String, orNull value: String?) {
        field(name) { if let value { $0.string(value) } else { $0.null() } }
    }

    mutating func field(_ name: String, orNull value: (some JSONWritable)?) {
        field(name) { if let value { value.write(to: &$0) } else { $0.null() } }
    }

    // MARK: Values

    mutating func null() { bytes.append(contentsOf: "null".utf8) }

    mutating func number(_ value: Int) { bytes.append(contentsOf: String(value).utf8) }

    /// - Precondition: `value` is finite; JSON has no other.
    mutating func number(_ value: Float) {
        precondition(value.isFinite, "JSON has no \(value)")
        bytes.append(contentsOf: value.description.utf8)
    }

    /// The text of a value that is JSON already.
    mutating func written(_ json: [UInt8]) { bytes.append(contentsOf: json) }

    mutating func number(orNull value: Float?) {
        if let value { number(value) } else { null() }
    }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            bytes.append(contentsOf: text.utf8)
        } else {
            for byte in text.utf8 { escape(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
        case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
        case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
        case 0..<0x20:
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(Self.digits[Int(byte >> 4)])
            bytes.append(Self.digits[Int(byte & 15)])
        default: bytes.append(byte)
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)
}

/// Reads one CBOR value (RFC 8949) that comes from outside, of definite or indefinite lengths.
struct CBORReader {
    private static let depthLimit = 32
    /// Values of one document: a value takes more memory than the byte that it may be written with.
    private static let valueLimit = 65_536

    private var rest: ArraySlice<UInt8>
    private var depth = 0
    private var values = 0

    /// - Throws: `CredentialsFlaw` for bytes that are not one whole value.
    static func value(of bytes: ArraySlice<UInt8>) throws(CredentialsFlaw) -> CBOR {
        var reader = CBORReader(rest: bytes)
        guard let value = try reader.next() else { throw CredentialsFlaw("CBOR ends a list that it has not begun") }
        guard reader.rest.isEmpty else {
            throw CredentialsFlaw("CBOR has \(reader.rest.count) bytes behind its value")
        }
        return value
    }

    private init(rest: ArraySlice<UInt8>) { self.rest = rest }

    private mutating func take(_ count: UInt64) throws(CredentialsFlaw) -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else {
            throw CredentialsFlaw("CBOR wants \(count) bytes where \(rest.count) are left")
        }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    /// - Returns: nil for the end of a list of indefinite length.
    private mutating func next() throws(CredentialsFlaw) -> CBOR? {
        depth += 1
        values += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit, values <= Self.valueLimit else {
            throw CredentialsFlaw(
                "CBOR is more than \(Self.depthLimit) deep, or has more than \(Self.valueLimit) values")
        }
        guard let head = try take(1).first else { return nil }
        let (major, short) = (head >> 5, head & 31)
        // 31: no length is given, or, as a simple value, the end of what had none.
        let isOpen = short == 31
        let number: UInt64
        switch short {
        case 0..<24: number = UInt64(short)
        case 24..<28: number = try take(1 << UInt64(short - 24)).bigEndian
        case 31 where (2...5).contains(major) || major == 7: number = 0
        default: throw CredentialsFlaw("CBOR has the byte \(head), which begins nothing")
        }
        switch major {
        case 0, 1:
            guard let integer = Int(exactly: number) else { throw CredentialsFlaw("CBOR has the number \(number)") }
            return .integer(major == 0 ? integer : -1 - integer)
        case 2: return .bytes(Array(try isOpen ? pieces(of: 2) : take(number)))
        case 3:
            guard let text = String(validating: try isOpen ? pieces(of: 3) : take(number), as: UTF8.self) else {
                throw CredentialsFlaw("CBOR has a text that is no UTF-8")
            }
            return .text(text)
        case 4:
            var elements: [CBOR] = []
            while isOpen || elements.count < number, let element = try element(mayEnd: isOpen) {
                elements.append(element)
            }
            return .array(elements)
        case 5:
            var pairs: [(CBOR, CBOR)] = []
            while isOpen || pairs.count < number, let key = try element(mayEnd: isOpen) {
                guard let value = try element(mayEnd: false) else { break }
                pairs.append((key, value))
            }
            return .map(pairs)
        case 6:
            guard let value = try next() else { throw CredentialsFlaw("CBOR has a tag on nothing") }
            return .tagged(number, value)
        default: return try simple(short, number)
        }
    }

    private mutating func element(mayEnd: Bool) throws(CredentialsFlaw) -> CBOR? {
        let element = try next()
        guard element != nil || mayEnd else { throw CredentialsFlaw("CBOR ends a list of a given length") }
        return element
    }

    /// The pieces of a text or of bytes whose length is not given.
    private mutating func pieces(of major: UInt8) throws(CredentialsFlaw) -> ArraySlice<UInt8> {
        var all: ArraySlice<UInt8> = []
        while let piece = try next() {
            switch piece {
            case .bytes(let bytes) where major == 2: all += bytes
            case .text(let text) where major == 3: all += Array(text.utf8)
            default: throw CredentialsFlaw("CBOR has something else among the pieces of a text")
            }
        }
        return all
    }

    private func simple(_ short: UInt8, _ number: UInt64) throws(CredentialsFlaw) -> CBOR? {
        switch short {
        case 20, 21: .bool(short == 21)
        case 22: .null
        case 25: .double(Double(Float16(bitPattern: UInt16(truncatingIfNeeded: number))))
        case 26: .double(Double(Float(bitPattern: UInt32(truncatingIfNeeded: number))))
        case 27: .double(Double(bitPattern: number))
        case 31: nil
        default: throw CredentialsFlaw("CBOR has the simple value \(number)")
        }
    }
}

extension CBOR {
    /// A field of a map; nil where it is none, or has no such field.
    subscript(_ key: String) -> CBOR? {
        guard case .map(let pairs) = self else { return nil }
        return pairs.first { $0.0.text == key }?.1
    }

    subscript(_ key: Int) -> CBOR? {
        guard case .map(let pairs) = self else { return nil }
        return pairs.first { $0.0.integer == key }?.1
    }

    /// A text, with a tag (a time's, an address's) or without.
    var text: String? {
        switch self {
        case .text(let text), .tagged(_, .text(let text)): text
        default: nil
        }
    }

    var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    var bytes: [UInt8]? { if case .bytes(let bytes) = self { bytes } else { nil } }
    var elements: [CBOR]? { if case .array(let elements) = self { elements } else { nil } }
}

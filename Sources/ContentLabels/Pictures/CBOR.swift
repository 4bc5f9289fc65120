/// A value as CBOR (RFC 8949), as far as C2PA manifests need it.
indirect enum CBOR: Sendable {
    case integer(Int)
    case bytes([UInt8])
    case text(String)
    case array([CBOR])
    /// In the order given.
    case map([(CBOR, CBOR)])
    case tagged(UInt64, CBOR)
    case bool(Bool)
    case double(Double)
    case null

    /// A map whose keys are texts.
    static func object(_ fields: [(String, CBOR)]) -> CBOR { .map(fields.map { (.text($0), $1) }) }

    /// Definite lengths, each number as short as it can be.
    var encoded: [UInt8] {
        switch self {
        case .integer(let value):
            value >= 0 ? Self.head(0, UInt64(value)) : Self.head(1, UInt64(-1 - value))
        case .bytes(let bytes): Self.head(2, UInt64(bytes.count)) + bytes
        case .text(let text): Self.head(3, UInt64(text.utf8.count)) + Array(text.utf8)
        case .array(let values): Self.head(4, UInt64(values.count)) + values.flatMap(\.encoded)
        case .map(let pairs): Self.head(5, UInt64(pairs.count)) + pairs.flatMap { $0.encoded + $1.encoded }
        case .tagged(let tag, let value): Self.head(6, tag) + value.encoded
        case .bool(let value): [value ? 0xF5 : 0xF4]
        case .double(let value):
            [0xFB] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        case .null: [0xF6]
        }
    }

    private static func head(_ major: UInt8, _ value: UInt64) -> [UInt8] {
        func big(_ count: Int) -> [UInt8] {
            (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
        }
        let type = major << 5
        return switch value {
        case 0..<24: [type | UInt8(value)]
        case 24..<1 << 8: [type | 24] + big(1)
        case 1 << 8..<1 << 16: [type | 25] + big(2)
        case 1 << 16..<1 << 32: [type | 26] + big(4)
        default: [type | 27] + big(8)
        }
    }
}

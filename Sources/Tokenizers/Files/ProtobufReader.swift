/// The wire format of protocol buffers, as far as a model file needs it.
struct ProtobufReader {
    enum Value {
        case integer(UInt64)
        case fixed32(UInt32)
        case fixed64
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// - Throws: `TokenizerError.malformed` at a field that does not end within the message.
    mutating func next() throws(TokenizerError) -> (number: UInt64, value: Value)? {
        if rest.isEmpty { return nil }
        let tag = try varint()
        switch tag & 7 {
        case 0: return (tag >> 3, .integer(try varint()))
        case 1:
            _ = try take(8)
            return (tag >> 3, .fixed64)
        case 2:
            let length = try varint()
            guard length <= UInt64(rest.count) else { throw Self.truncated }
            return (tag >> 3, .bytes(try take(Int(length))))
        case 5:
            let bits = try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return (tag >> 3, .fixed32(bits))
        default: throw Self.truncated
        }
    }

    private static let truncated = TokenizerError(.malformed, "not a SentencePiece model, or a truncated one")

    private mutating func take(_ count: Int) throws(TokenizerError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw Self.truncated }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw Self.truncated }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Self.truncated
    }
}

/// GPT-2's printable stand-ins for bytes (`bytes_to_unicode`): printable Latin-1 stands for itself, the other 68
/// bytes for U+0100 and following.
enum ByteLevelAlphabet {
    private static let scalarOfByte: [UInt32] = {
        var table = [UInt32](repeating: 0, count: 256)
        var next: UInt32 = 256
        for byte in UInt32(0)..<256 {
            if (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte) {
                table[Int(byte)] = byte
            } else {
                table[Int(byte)] = next
                next += 1
            }
        }
        return table
    }()

    private static let byteOfScalar: [UInt32: UInt8] = Dictionary(
        uniqueKeysWithValues: scalarOfByte.enumerated().map { ($1, UInt8($0)) })

    /// How a vocabulary spells each byte.
    static let spellings: [[UInt8]] = scalarOfByte.map { value in
        Unicode.Scalar(value).flatMap(UTF8.encode).map { Array($0) } ?? []
    }

    /// How a vocabulary spells bytes.
    static func spelling(of bytes: [UInt8]) -> [UInt8] { bytes.flatMap { spellings[Int($0)] } }

    /// The bytes that a vocabulary entry stands for, or nil when it holds a character of another alphabet.
    static func bytes(of token: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
            guard let byte = byteOfScalar[scalar.value] else { return nil }
            out.append(byte)
        }
        return out
    }
}

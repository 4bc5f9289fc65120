/// Base64 (RFC 4648 §4), for files of hundreds of thousands of short strings.
enum Base64 {
    private static let digits: [UInt8] = {
        var digits = [UInt8](repeating: 0xFF, count: 256)
        let letters = (0x41...0x5A).map { UInt8($0) } + (0x61...0x7A) + (0x30...0x39) + [0x2B, 0x2F]
        for (value, letter) in letters.enumerated() { digits[Int(letter)] = UInt8(value) }
        return digits
    }()

    /// - Returns: nil for what is not padded to groups of four, or has other letters.
    static func bytes(of text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        let padding = text.suffix(2).count { $0 == 0x3D }
        let body = text.dropLast(padding)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var (value, bits): (UInt32, UInt32) = (0, 0)
        let digits = digits
        for letter in body {
            let digit = digits[Int(letter)]
            if digit == 0xFF { return nil }
            (value, bits) = (value << 6 | UInt32(digit), bits + 6)
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: value >> bits))
            }
        }
        return bytes
    }
}

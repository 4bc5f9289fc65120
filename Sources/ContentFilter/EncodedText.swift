internal import Foundation

/// Texts that stand in a text as base64, hexadecimal digits, URL or character escapes.
struct EncodedText: Sendable {
    /// Bytes that are decoded at once; a longer run is taken in pieces of this length.
    static let limit = 4_096
    /// Encodings within encodings that are looked through.
    static let depthLimit = 2

    private var start: Int?
    private var position = 0

    /// Where the run that goes on began.
    var hold: Int? { start }

    /// Reads on, up to the end of `text`.
    ///
    /// - Returns: runs of visible ASCII that have ended and hold something encoded, with what that is.
    mutating func scan(_ text: FoldedText, isWhole: Bool) -> [(range: Range<Int>, decoded: [UInt8])] {
        var found: [(Range<Int>, [UInt8])] = []
        let bytes = text.bytes
        let base = text.base
        func end(_ run: Int, _ offset: Int) {
            guard offset - run >= 8 else { return }
            let range = run..<offset
            for decoded in Self.decode(bytes[run - base..<offset - base]) { found.append((range, decoded)) }
        }
        var index = position - base
        while index < bytes.count {
            if (0x21...0x7E).contains(bytes[index]) {
                if let run = start {
                    if index + base - run >= Self.limit {
                        end(run, index + base)
                        start = index + base
                    }
                } else {
                    start = index + base
                }
            } else if let run = start {
                end(run, index + base)
                start = nil
            }
            index += 1
        }
        position = text.end
        if isWhole, let run = start {
            end(run, text.end)
            start = nil
        }
        return found
    }

    static func decode(_ run: ArraySlice<UInt8>) -> [[UInt8]] {
        var texts: [[UInt8]] = []
        if let unescaped = unescape(run) { texts.append(unescaped) }
        for part in run.split(whereSeparator: { !isBase64($0) }) {
            let isHex = part.count >= 12 && part.count % 2 == 0 && part.allSatisfy { digit($0) != nil }
            let decoded = isHex ? hex(part) : part.count >= 16 ? base64(part) : nil
            if let decoded, isText(decoded) { texts.append(decoded) }
        }
        return texts
    }

    // MARK: Encodings

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F, 0x2D, 0x5F: true
        default: false
        }
    }

    private static func base64(_ part: ArraySlice<UInt8>) -> [UInt8]? {
        var characters = part.map { $0 == 0x2D ? 0x2B : $0 == 0x5F ? 0x2F : $0 }
        // A rest of one character is none.
        characters.removeLast(characters.count % 4 == 1 ? 1 : 0)
        while characters.count % 4 != 0 { characters.append(0x3D) }
        return Data(base64Encoded: Data(characters)).map { [UInt8]($0) }
    }

    private static func hex(_ part: ArraySlice<UInt8>) -> [UInt8]? {
        let digits = part.compactMap { digit($0) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// `%66`, `\x66`, `\u0066`, `&#102;`, `&#x66;`; nil where there are fewer than three.
    private static func unescape(_ run: ArraySlice<UInt8>) -> [UInt8]? {
        let bytes = Array(run)
        var out: [UInt8] = []
        var count = 0
        var index = 0
        while index < bytes.count {
            if let (point, length) = escape(bytes, at: index) {
                count += 1
                index += length
                if bytes[index - length] == 0x25 || bytes[index - length + 1] == 0x78 {
                    out.append(UInt8(truncatingIfNeeded: point))
                } else if let scalar = Unicode.Scalar(point) {
                    out.append(contentsOf: String(Character(scalar)).utf8)
                }
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return count >= 3 && isText(out) ? out : nil
    }

    private static func escape(_ bytes: [UInt8], at index: Int) -> (UInt32, Int)? {
        func number(_ first: Int, _ count: Int) -> UInt32? {
            guard first + count <= bytes.count else { return nil }
            var value: UInt32 = 0
            for byte in bytes[first..<first + count] {
                guard let digit = digit(byte) else { return nil }
                value = value << 4 | UInt32(digit)
            }
            return value
        }
        switch bytes[index] {
        case 0x25: return number(index + 1, 2).map { ($0, 3) }
        case 0x5C where index + 1 < bytes.count:
            if bytes[index + 1] == 0x78 { return number(index + 2, 2).map { ($0, 4) } }
            return bytes[index + 1] == 0x75 ? number(index + 2, 4).map { ($0, 6) } : nil
        case 0x26 where index + 3 < bytes.count && bytes[index + 1] == 0x23:
            guard let end = bytes[index...].prefix(10).firstIndex(of: 0x3B) else { return nil }
            let digits = String(decoding: bytes[index + 2..<end], as: UTF8.self)
            let value = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return value.map { ($0, end - index + 1) }
        default: return nil
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// Whether bytes are characters that someone would write.
    private static func isText(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 3, String(validating: bytes, as: UTF8.self) != nil else { return false }
        return bytes.count { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A || $0 == 0x09 } * 10 >= bytes.count * 9
    }
}

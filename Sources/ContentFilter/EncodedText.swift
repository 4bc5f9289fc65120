internal import Foundation

/// Texts that stand in a text as base64, hexadecimal digits, URL or character escapes.
///
/// Text is held back only while what there is of a run decodes to text.
struct EncodedText: Sendable {
    /// Bytes that are decoded at once; a longer run is taken in pieces of this length.
    static let limit = 4_096
    /// Encodings within encodings that are looked through.
    static let depthLimit = 2
    /// Bytes before an escape, and behind one, that are read with it.
    private static let escapeReach = 64

    /// Letters, digits and signs that may be base64 or hexadecimal digits.
    private struct Digits {
        var start: Int
        var base64 = DecodedPrefix(digitBits: 6)
        var hex = DecodedPrefix(digitBits: 4)
        /// Where `=` began.
        var padding: Int?

        var isAlive: Bool { base64.isText || hex.isText }
    }

    /// Escapes near each other.
    private struct Escapes {
        var start: Int
        var context: Int
        var lastEnd: Int
        var count: Int
    }

    /// Alive.
    private var digits: Digits?
    /// Where digits began that have turned out to be no text.
    private var dead: Int?
    private var escapes: Escapes?
    /// Where visible ASCII began, without a space since.
    private var runStart = 0
    private var position = 0
    /// Whether `position` is the beginning of what may become an escape.
    private var isCut = false

    /// The first byte of what may hold something encoded.
    var hold: Int? {
        let first = min(digits?.start ?? .max, escapes?.start ?? .max, isCut ? position : .max)
        return first == .max ? nil : first
    }

    /// Reads on, up to the end of `text`.
    ///
    /// - Returns: stretches that have ended and hold something encoded, with what that is.
    mutating func scan(_ text: FoldedText, isWhole: Bool) -> [(range: Range<Int>, decoded: [UInt8])] {
        var found: [(range: Range<Int>, decoded: [UInt8])] = []
        let (bytes, base) = (text.bytes, text.base)
        var index = position - base
        isCut = false
        while index < bytes.count {
            skip(bytes, base, &index)
            guard index < bytes.count else { break }
            let byte = bytes[index]
            let offset = index + base
            if byte == 0x25 || byte == 0x5C || byte == 0x26 {
                if let (_, length) = Self.escape(bytes, at: index) {
                    take(escape: offset..<offset + length)
                } else if !isWhole, Self.mayBecomeEscape(bytes[index...]) {
                    isCut = true
                    break
                }
            }
            read(byte, at: offset, text, &found)
            index += 1
        }
        position = index + base
        if isWhole {
            endDigits(at: text.end, text, &found)
            endEscapes(at: text.end, text, &found)
        }
        return found
    }

    /// Goes past what says nothing.
    private mutating func skip(_ bytes: [UInt8], _ base: Int, _ index: inout Int) {
        // Base64 of a text begins with none of the letters from g to v: they would be the middle of a character.
        if digits == nil, dead == nil, (0x67...0x76).contains(bytes[index]) { dead = index + base }
        if let start = dead {
            let end = min(bytes.count, start - base + Self.limit)
            if escapes == nil {
                while index < end, Self.isBase64(bytes[index]) { index += 1 }
            }
            if index < bytes.count, index >= end || !Self.isBase64(bytes[index]) { dead = nil }
        }
        guard digits == nil, escapes == nil, index < bytes.count, bytes[index] >= 0x80 else { return }
        repeat { index += 1 } while index < bytes.count && bytes[index] >= 0x80
        runStart = index + base
    }

    private mutating func read(
        _ byte: UInt8, at offset: Int, _ text: FoldedText, _ found: inout [(range: Range<Int>, decoded: [UInt8])]
    ) {
        if let escapes, offset - escapes.lastEnd >= Self.escapeReach || offset - escapes.start >= Self.limit {
            endEscapes(at: offset, text, &found)
        }
        if Self.isBase64(byte) {
            if let open = digits, open.padding != nil || offset - open.start >= Self.limit {
                endDigits(at: offset, text, &found)
            }
            guard dead == nil else { return }
            if digits == nil { digits = Digits(start: offset) }
            digits?.base64.take(Self.base64Digit(byte))
            digits?.hex.take(Self.digit(byte))
            if let open = digits, !open.isAlive { (digits, dead) = (nil, open.start) }
        } else if digits != nil {
            if byte == 0x3D {
                if digits?.padding == nil { digits?.padding = offset }
            } else {
                endDigits(at: offset, text, &found)
            }
        }
        if !(0x21...0x7E).contains(byte) {
            endEscapes(at: offset, text, &found)
            runStart = offset + 1
        }
    }

    private mutating func endDigits(
        at offset: Int, _ text: FoldedText, _ found: inout [(range: Range<Int>, decoded: [UInt8])]
    ) {
        guard let ended = digits else { return }
        digits = nil
        let part = ended.start..<(ended.padding ?? offset)
        guard part.count >= 12 else { return }
        let slice = text.bytes[part.lowerBound - text.base..<part.upperBound - text.base]
        let isHex = slice.count % 2 == 0 && slice.allSatisfy { Self.digit($0) != nil }
        let decoded =
            isHex
            ? ended.hex.isText ? Self.hex(slice) : nil
            : slice.count >= 16 && ended.base64.isText ? Self.base64(slice) : nil
        if let decoded, Self.isText(decoded) { found.append((ended.start..<offset, decoded)) }
    }

    private mutating func take(escape range: Range<Int>) {
        if escapes == nil {
            let context = max(runStart, range.lowerBound - Self.escapeReach)
            escapes = Escapes(start: range.lowerBound, context: context, lastEnd: range.lowerBound, count: 0)
        }
        escapes?.lastEnd = range.upperBound
        escapes?.count += 1
    }

    private mutating func endEscapes(
        at offset: Int, _ text: FoldedText, _ found: inout [(range: Range<Int>, decoded: [UInt8])]
    ) {
        guard let ended = escapes else { return }
        escapes = nil
        guard ended.count >= 3 else { return }
        let decoded = Self.unescape(text.bytes[ended.context - text.base..<offset - text.base])
        if Self.isText(decoded) { found.append((ended.start..<offset, decoded)) }
    }

    // MARK: Encodings

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F, 0x2D, 0x5F: true
        default: false
        }
    }

    private static func base64Digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte - 0x41
        case 0x61...0x7A: byte - 0x61 + 26
        case 0x30...0x39: byte - 0x30 + 52
        case 0x2B, 0x2D: 62
        case 0x2F, 0x5F: 63
        default: nil
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

    /// `%66`, `\x66`, `\u0066`, `&#102;`, `&#x66;`, and what stands between them.
    private static func unescape(_ run: ArraySlice<UInt8>) -> [UInt8] {
        let bytes = Array(run)
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if let (point, length) = escape(bytes, at: index) {
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
        return out
    }

    /// Whether a text that ends here could go on as an escape.
    private static func mayBecomeEscape(_ rest: ArraySlice<UInt8>) -> Bool {
        let (length, prefix): (Int, [UInt8]) =
            switch rest.first {
            case 0x25: (3, [])
            case 0x5C where rest.count > 1: (rest[rest.startIndex + 1] == 0x75 ? 6 : 4, [])
            case 0x5C: (4, [])
            default: (10, [0x23])
            }
        guard rest.count < length else { return false }
        var body = rest.dropFirst()
        if rest.first == 0x5C, let kind = body.popFirst() { guard kind == 0x78 || kind == 0x75 else { return false } }
        if let sign = prefix.first, let given = body.popFirst() { guard given == sign else { return false } }
        if !prefix.isEmpty, body.first == 0x78 { body = body.dropFirst() }
        return body.allSatisfy { digit($0) != nil }
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

/// What digits decode to so far: whether it may be the beginning of a text.
private struct DecodedPrefix: Sendable {
    private let digitBits: UInt32
    private(set) var isText = true
    private var bits: UInt32 = 0
    private var bitCount: UInt32 = 0
    private var length = 0
    private var controls = 0
    /// Bytes that the character under way still wants, and what the next may be.
    private var wanted = 0
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    init(digitBits: UInt32) { self.digitBits = digitBits }

    /// - Parameter digit: nil for what is none, after which there is no text.
    mutating func take(_ digit: UInt8?) {
        guard isText else { return }
        guard let digit else {
            isText = false
            return
        }
        bits = bits << digitBits | UInt32(digit)
        bitCount += digitBits
        guard bitCount >= 8 else { return }
        bitCount -= 8
        read(UInt8(truncatingIfNeeded: bits >> bitCount))
    }

    private mutating func read(_ byte: UInt8) {
        length += 1
        guard wanted == 0 else {
            isText = (low...high).contains(byte)
            (wanted, low, high) = (wanted - 1, 0x80, 0xBF)
            return
        }
        switch byte {
        case 0x09, 0x0A, 0x0D, 0x20..<0x7F: break
        case 0..<0x80:
            controls += 1
            isText = controls <= 1 + length / 8
        case 0xC2...0xDF: wanted = 1
        case 0xE0...0xEF: (wanted, low, high) = (2, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF)
        case 0xF0...0xF4: (wanted, low, high) = (3, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF)
        default: isText = false
        }
    }
}

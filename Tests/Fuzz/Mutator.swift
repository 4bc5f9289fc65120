/// Changes bytes so that they are nearly what they were: what a parser gets far with.
struct Mutator {
    var random: FuzzRandom
    /// The longest outcome.
    var limit = 1 << 18

    private static let bytes: [UInt8] = [
        0, 1, 0x7f, 0x80, 0xff, 0x20, 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x3a, 0x2d,
    ]
    private static let numbers: [UInt64] = [
        0, 1, 2, 3, 7, 16, 64, 127, 128, 255, 256, 4_096, 32_767, 32_768, 65_535, 65_536, 1 << 20, 1 << 24, 1 << 30,
        0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 1 << 40, 1 << 62, 0x7fff_ffff_ffff_ffff, 1 << 63, .max,
        .max - 1,
    ]
    /// What stands for a value in JSON and its like, and what does not.
    private static let words: [String] = [
        "null", "true", "false", "0", "-1", "1", "1e308", "1e999", "-1e-400", "0.1", "9223372036854775807",
        "-9223372036854775808", "18446744073709551616", "4294967296", "\"\"", "\"a\"", "[]", "{}", "[[]]", "{\"a\":{}}",
        "\"\\u0000\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"é\u{301}\"", "NaN", "[1,2", "{\"a\"", "\"x", "\"\\",
        "//", "'",
        "\"\u{202e}\u{feff}\"", "[null]", "[1e400]", "0x10", "01", "+1", "1.", ".5", "--1",
    ]

    /// One sample, changed; sometimes joined with a piece of another.
    mutating func mutate(_ samples: [[UInt8]], _ kind: SampleKind) -> [UInt8] {
        var bytes = random.pick(samples)
        for _ in 0..<1 + random.below(random.chance(4) ? 12 : 3) {
            switch kind {
            case .text where !random.chance(4): changeText(&bytes, samples)
            case .protobuf where !random.chance(3): bytes = changeFields(bytes, depth: 0)
            case .json where !random.chance(8):
                if let changed = changeJSON(bytes, samples) { bytes = changed } else { changeBytes(&bytes, samples) }
            case .json where bytes.first == UInt8(ascii: "{"): changeText(&bytes, samples)
            default: changeBytes(&bytes, samples)
            }
            if bytes.count > limit { bytes.removeLast(bytes.count - limit) }
        }
        return bytes
    }

    private mutating func range(in bytes: [UInt8], longest: Int = 64) -> Range<Int> {
        let start = random.below(bytes.count + 1)
        return start..<min(bytes.count, start + random.below(random.chance(8) ? bytes.count + 1 : longest))
    }

    private mutating func changeBytes(_ bytes: inout [UInt8], _ samples: [[UInt8]]) {
        // Headers are what is read first: every other change falls there.
        let place = random.below(random.chance(2) ? min(bytes.count, 64) : bytes.count)
        switch random.below(11) {
        case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1 where !bytes.isEmpty: bytes[place] = random.pick(Self.bytes)
        case 2 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 3: bytes.insert(random.pick(Self.bytes), at: place)
        case 4: bytes.removeSubrange(range(in: bytes))
        case 5: bytes.insert(contentsOf: bytes[range(in: bytes)], at: place)
        case 6: bytes.removeLast(random.below(bytes.count + 1))
        case 7:
            let other = random.pick(samples)
            bytes.replaceSubrange(range(in: bytes), with: other[range(in: other)])
        case 8, 9: overwrite(&bytes, place)
        default:
            bytes.insert(contentsOf: repeatElement(random.pick(Self.bytes), count: random.below(2_000)), at: place)
        }
    }

    /// Puts a little-endian number of 1, 2, 4 or 8 bytes somewhere, or changes the one that is there.
    private mutating func overwrite(_ bytes: inout [UInt8], _ place: Int) {
        let width = 1 << random.below(4)
        guard place + width <= bytes.count else { return }
        var number = random.pick(Self.numbers)
        if random.chance(2) {
            let old = bytes[place..<place + width].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            number = old &+ UInt64(bitPattern: Int64(random.below(17) - 8))
        }
        for index in 0..<width { bytes[place + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
    }

    // MARK: Text

    /// Where words, numbers and strings of a text begin and end.
    private func tokens(_ bytes: [UInt8]) -> [Range<Int>] {
        func kind(_ byte: UInt8) -> Int {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x80...: 1
            case 0x09, 0x0a, 0x0d, 0x20: 2
            default: 0
            }
        }
        var ranges: [Range<Int>] = []
        var start = 0
        for index in 1..<max(1, bytes.count)
        where kind(bytes[index]) != kind(bytes[index - 1]) || kind(bytes[index]) == 0 {
            ranges.append(start..<index)
            start = index
        }
        if start < bytes.count { ranges.append(start..<bytes.count) }
        return ranges
    }

    private mutating func changeText(_ bytes: inout [UInt8], _ samples: [[UInt8]]) {
        // In a long text the tokens about one place are enough.
        let window = 4_096
        let base = bytes.count > window ? random.below(bytes.count - window) : 0
        let part = Array(bytes[base..<min(bytes.count, base + window)])
        let tokens = tokens(part)
        guard !tokens.isEmpty else { return changeBytes(&bytes, samples) }
        func shifted(_ range: Range<Int>) -> Range<Int> { base + range.lowerBound..<base + range.upperBound }
        let token = shifted(random.pick(tokens)), other = shifted(random.pick(tokens))
        switch random.below(9) {
        case 0, 1, 2: bytes.replaceSubrange(token, with: Array(random.pick(Self.words).utf8))
        case 3: bytes.removeSubrange(token)
        case 4: bytes.replaceSubrange(token, with: Array(bytes[other]))
        case 5:
            // Stretches are said twice, or left out.
            let stretch = min(token.lowerBound, other.lowerBound)..<max(token.upperBound, other.upperBound)
            if random.chance(2) {
                bytes.insert(contentsOf: Array(bytes[stretch]), at: stretch.upperBound)
            } else {
                bytes.removeSubrange(stretch)
            }
        case 6:
            let source = random.pick(samples)
            bytes.insert(contentsOf: source[range(in: source, longest: 200)], at: token.lowerBound)
        case 7:
            let open = random.pick(["[", "{\"a\":", "(", "{{", "\"", "{% if a %}", "{% for a in messages %}", "not "])
            let count = 1 << random.below(11)
            bytes.insert(contentsOf: Array(String(repeating: open, count: count).utf8), at: token.lowerBound)
        default:
            let scalar = UnicodeScalar(UInt32(random.below(0x11_0000))) ?? "\u{fffd}"
            bytes.insert(contentsOf: Array(String(Character(scalar)).utf8), at: token.lowerBound)
        }
    }

    // MARK: Protobuf

    private struct Field {
        var tag: UInt64
        /// Of a varint or a fixed number; nil for bytes.
        var number: UInt64?
        var bytes: [UInt8] = []
    }

    private func varint(_ bytes: [UInt8], _ position: inout Int) -> UInt64? {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    private func fields(_ bytes: [UInt8]) -> [Field]? {
        var (fields, position): ([Field], Int) = ([], 0)
        while position < bytes.count {
            guard let tag = varint(bytes, &position) else { return nil }
            let width = tag & 7 == 1 ? 8 : tag & 7 == 5 ? 4 : 0
            switch tag & 7 {
            case 0:
                guard let value = varint(bytes, &position) else { return nil }
                fields.append(Field(tag: tag, number: value))
            case 1, 5:
                guard position + width <= bytes.count else { return nil }
                let value = bytes[position..<position + width].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                position += width
                fields.append(Field(tag: tag, number: value))
            case 2:
                guard let count = varint(bytes, &position), count <= UInt64(bytes.count - position) else { return nil }
                fields.append(Field(tag: tag, bytes: Array(bytes[position..<position + Int(count)])))
                position += Int(count)
            default: return nil
            }
        }
        return fields
    }

    private func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    /// Changes one field and puts the message together again, lengths and all.
    private mutating func changeFields(_ bytes: [UInt8], depth: Int) -> [UInt8] {
        guard var fields = fields(bytes), !fields.isEmpty, depth < 6 else {
            var bytes = bytes
            changeBytes(&bytes, [bytes])
            return bytes
        }
        let index = random.below(fields.count)
        switch random.below(8) {
        case 0: fields.remove(at: index)
        case 1: fields.insert(fields[index], at: random.below(fields.count + 1))
        case 2: fields[index].tag = fields[index].tag & 7 | UInt64(random.below(24)) << 3
        case 3: fields.swapAt(index, random.below(fields.count))
        case 4: fields = Array(repeatElement(fields, count: 1 + random.below(6)).joined())
        default:
            if fields[index].number != nil {
                fields[index].number = random.chance(2) ? random.pick(Self.numbers) : random.next()
            } else {
                fields[index].bytes = changeFields(fields[index].bytes, depth: depth + 1)
            }
        }
        var out: [UInt8] = []
        for field in fields {
            append(field.tag, to: &out)
            if let number = field.number {
                let width = field.tag & 7 == 1 ? 8 : field.tag & 7 == 5 ? 4 : 0
                if width == 0 { append(number, to: &out) }
                for index in 0..<width { out.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index))) }
            } else {
                append(UInt64(field.bytes.count), to: &out)
                out += field.bytes
            }
        }
        return out
    }
}

/// What samples are made of.
enum SampleKind {
    case bytes, text, protobuf
    /// Text of JSON, and files of tensors, which begin with it.
    case json
}

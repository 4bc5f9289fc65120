import Tokenizers

extension Mutator {
    private static let scalars: [JSONValue] = [
        .null, .bool(true), .bool(false), .string([]), .string([0x61]), .string(Array("▁é".utf8)), .array([]),
        .object([]),
        .array([.array([])]), .number(0.5), .number(-1), .number(1e308), .number(.infinity), .number(.nan),
    ]
    private static let sizes: [Double] = [
        0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 64, 100, 255, 256, 1_000, 4_096, 65_535, 65_536, 262_143, 262_144, 300_000,
        3_999_999, 4_000_000, 2_147_483_647, 2_147_483_648, 4_294_967_296, 9_007_199_254_740_992, 9.3e18, -1, -2,
    ]

    /// Changes a node of a JSON text, or of the header of a file of tensors; the rest stays valid.
    mutating func changeJSON(_ bytes: [UInt8], _ samples: [[UInt8]]) -> [UInt8]? {
        let header = Self.header(bytes)
        guard let tree = try? JSONParser.parse(Array(header.map { bytes[$0] } ?? bytes[...])) else { return nil }
        let other = random.pick(samples)
        let donor = (try? JSONParser.parse(Array(Self.header(other).map { other[$0] } ?? other[...]))) ?? tree
        var text: [UInt8] = []
        Self.append(change(tree, donor, depth: 0), to: &text)
        guard let header else { return text }
        let length = UInt64(text.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text + bytes[header.upperBound...]
    }

    /// Where the JSON of a safetensors file lies.
    private static func header(_ bytes: [UInt8]) -> Range<Int>? {
        guard bytes.count > 9, bytes[8] == UInt8(ascii: "{") else { return nil }
        let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return length <= UInt64(bytes.count - 8) ? 8..<8 + Int(length) : nil
    }

    private mutating func change(_ value: JSONValue, _ donor: JSONValue, depth: Int) -> JSONValue {
        switch value {
        case .object(var members) where !members.isEmpty && !random.chance(8):
            let index = random.below(members.count)
            switch random.below(10) {
            case 0: members.remove(at: index)
            case 1: members.insert((key(in: donor), members[index].value), at: index)
            case 2: members[index].key = key(in: donor)
            case 3: members.append((key(in: donor), node(of: donor)))
            default: members[index].value = change(members[index].value, donor, depth: depth + 1)
            }
            return .object(members)
        case .array(var values) where !values.isEmpty && !random.chance(8):
            let index = random.below(values.count)
            switch random.below(10) {
            case 0: values.remove(at: index)
            case 1: values.insert(values[index], at: random.below(values.count))
            case 2: values.swapAt(index, random.below(values.count))
            case 3: values = Array(repeatElement(values, count: 1 + random.below(6)).joined())
            case 4: values.insert(node(of: donor), at: index)
            default: values[index] = change(values[index], donor, depth: depth + 1)
            }
            return .array(values)
        case .number(let number) where !random.chance(4):
            switch random.below(4) {
            case 0: return .number(-number)
            case 1: return .number(number * Double(1 + random.below(5)) + Double(random.below(5)) - 2)
            default: return .number(random.pick(Self.sizes))
            }
        case .string(var text) where random.chance(3):
            if random.chance(2), !text.isEmpty {
                text.remove(at: random.below(text.count))
            } else {
                text.insert(UInt8(0x20 + random.below(0x5F)), at: random.below(text.count + 1))
            }
            return String(validating: text, as: UTF8.self) == nil ? value : .string(text)
        default:
            return random.chance(2) ? random.pick(Self.scalars) : node(of: donor)
        }
    }

    /// A node, the rarer the deeper.
    private mutating func node(of value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members) where !members.isEmpty && !random.chance(5):
            node(of: random.pick(members.map(\.value)))
        case .array(let values) where !values.isEmpty && !random.chance(5): node(of: random.pick(values))
        default: value
        }
    }

    private mutating func key(in value: JSONValue) -> [UInt8] {
        guard case .object(let members) = value, !members.isEmpty else { return [0x61] }
        let member = members[random.below(members.count)]
        if case .object(let inner) = member.value, !inner.isEmpty, !random.chance(3) { return key(in: member.value) }
        return member.key
    }

    private static func append(_ value: JSONValue, to out: inout [UInt8]) {
        switch value {
        case .null: out += "null".utf8
        case .bool(let flag): out += (flag ? "true" : "false").utf8
        case .number(let number):
            if number.isNaN {
                out += "NaN".utf8
            } else if number.isInfinite {
                out += (number < 0 ? "-Infinity" : "Infinity").utf8
            } else {
                out += (Int64(exactly: number).map(String.init) ?? "\(number)").utf8
            }
        case .string(let text): append(text, to: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(value, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(member.key, to: &out)
                out.append(UInt8(ascii: ":"))
                append(member.value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func append(_ text: [UInt8], to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text {
            if byte < 0x20 {
                let digits = String(byte, radix: 16)
                out += ("\\u00" + (digits.utf8.count < 2 ? "0" : "") + digits).utf8
            } else {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { out.append(UInt8(ascii: "\\")) }
                out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}

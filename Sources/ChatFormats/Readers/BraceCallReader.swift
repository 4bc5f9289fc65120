import JSON

/// Reads a call as Gemma writes it: `call:name{key:value,…}`, with bare keys and texts between a mark.
struct BraceCallReader: CallReader {
    private enum State { case before, name, arguments }

    private let before: [UInt8]
    private let mark: [UInt8]
    private var state = State.before
    private var name = ""
    private var held: [UInt8] = []
    private var depth = 0
    private var isInText = false
    private(set) var hasBegun = false

    init(before: String, mark: String) { (self.before, self.mark) = (Array(before.utf8), Array(mark.utf8)) }

    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading {
        var reading = CallReading()
        if state == .before {
            guard let found = bytes[...].skip(before, &reading, isLast) else { return reading }
            guard found else {
                reading.state = .malformed
                return reading
            }
            state = .name
        }
        for byte in bytes[reading.count...] {
            reading.count += 1
            if state == .name {
                guard byte == UInt8(ascii: "{") else {
                    held.append(byte)
                    if !Tool.isName(String(decoding: held, as: UTF8.self)) {
                        reading.state = .malformed
                        return reading
                    }
                    continue
                }
                name = String(decoding: held, as: UTF8.self)
                (held, state, depth) = ([byte], .arguments, 1)
                continue
            }
            held.append(byte)
            if byte == mark.last, held.suffix(mark.count).elementsEqual(mark) { isInText.toggle() }
            if isInText { continue }
            if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") { depth += 1 }
            if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") { depth -= 1 }
            guard depth == 0 else { continue }
            var literal = BraceLiteral(held, mark)
            guard Tool.isName(name), let arguments = literal.value() else {
                reading.state = .malformed
                return reading
            }
            reading.steps = [.name(name), .arguments(arguments)]
            (hasBegun, reading.state) = (true, .done)
            return reading
        }
        return reading
    }
}

/// Gemma's notation of values, as JSON.
private struct BraceLiteral {
    private let bytes: [UInt8]
    private let mark: [UInt8]
    private var place = 0
    private var depth = 0
    private static let depthLimit = 64

    init(_ bytes: [UInt8], _ mark: [UInt8]) { (self.bytes, self.mark) = (bytes, mark) }

    private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipBlanks() { while let byte = current, AnswerParser.isBlank(byte) { place += 1 } }

    private mutating func take(_ text: [UInt8]) -> Bool {
        guard bytes[place...].starts(with: text) else { return false }
        place += text.count
        return true
    }

    mutating func value() -> [UInt8]? {
        skipBlanks()
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { return nil }
        if bytes[place...].starts(with: mark) { return text() }
        switch current {
        case UInt8(ascii: "{"): return members(UInt8(ascii: "}"), haveKeys: true)
        case UInt8(ascii: "["): return members(UInt8(ascii: "]"), haveKeys: false)
        case nil: return nil
        default:
            let word = self.word(",]}")
            return (try? JSONParser.parse(word)) == nil
                ? JSONValue.string(String(decoding: word, as: UTF8.self)).bytes : word
        }
    }

    private mutating func word(_ ends: String) -> [UInt8] {
        let start = place, ends = Array(ends.utf8)
        while let byte = current, !ends.contains(byte) { place += 1 }
        return Array(bytes[start..<place]).withoutBlanks
    }

    private mutating func text() -> [UInt8]? {
        place += mark.count
        let start = place
        while place < bytes.count, !bytes[place...].starts(with: mark) { place += 1 }
        let own = bytes[start..<place]
        guard take(mark) else { return nil }
        return Array("\"".utf8) + escapedJSON(own) + Array("\"".utf8)
    }

    private mutating func members(_ end: UInt8, haveKeys: Bool) -> [UInt8]? {
        place += 1
        var members: [[UInt8]] = []
        skipBlanks()
        while let byte = current, byte != end {
            var member: [UInt8] = []
            if haveKeys {
                if bytes[place...].starts(with: mark) {
                    guard let key = text() else { return nil }
                    member = key
                } else {
                    member = JSONValue.string(String(decoding: word(":"), as: UTF8.self)).bytes
                }
                skipBlanks()
                guard take([UInt8(ascii: ":")]) else { return nil }
                member += Array(": ".utf8)
            }
            guard let own = value() else { return nil }
            members.append(member + own)
            skipBlanks()
            guard take([UInt8(ascii: ",")]) || current == end else { return nil }
            skipBlanks()
        }
        guard take([end]) else { return nil }
        let frame = haveKeys ? ("{", "}") : ("[", "]")
        return Array(frame.0.utf8) + Array(members.joined(separator: Array(", ".utf8))) + Array(frame.1.utf8)
    }
}

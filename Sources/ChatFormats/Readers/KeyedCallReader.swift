import JSON

/// Reads a list of JSON objects with one member each, the tool's name and its arguments: `[{"name": {…}}, …]`.
struct KeyedCallReader: CallReader {
    private enum State { case list, item, key, inKey, colon, arguments, end }

    private var state = State.list
    private var scanner = JSONScanner()
    private var held: [UInt8] = []
    private(set) var hasBegun = false

    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading {
        var reading = CallReading()
        var passed: [UInt8] = []
        while reading.count < bytes.count {
            let byte = bytes[reading.count]
            reading.count += 1
            if state != .inKey, state != .arguments, AnswerParser.isBlank(byte) { continue }
            switch (state, byte) {
            case (.list, UInt8(ascii: "[")): state = .item
            case (.item, UInt8(ascii: ",")) where hasBegun: break
            case (.item, UInt8(ascii: "{")): state = .key
            case (.item, UInt8(ascii: "]")):
                reading.state = hasBegun ? .done : .malformed
                return reading
            case (.key, UInt8(ascii: "\"")): (state, held) = (.inKey, [byte])
            case (.inKey, _):
                held.append(byte)
                guard byte == UInt8(ascii: "\"") else {
                    if held.count <= 2 * Tool.nameLimit { continue }
                    reading.state = .malformed
                    return reading
                }
                let name = (try? JSONParser.parse(held))?.text ?? ""
                guard Tool.isName(name) else {
                    reading.state = .malformed
                    return reading
                }
                reading.steps.append(.name(name))
                (hasBegun, state) = (true, .colon)
            case (.colon, UInt8(ascii: ":")): (state, scanner) = (.arguments, JSONScanner())
            case (.arguments, _):
                if passed.isEmpty, scanner.isAtStart, AnswerParser.isBlank(byte) { continue }
                passed.append(byte)
                if scanner.take(byte) == .inside { continue }
                reading.steps.append(.arguments(passed))
                (passed, state) = ([], .end)
            case (.end, UInt8(ascii: "}")): state = .item
            default:
                reading.state = .malformed
                return reading
            }
        }
        if !passed.isEmpty { reading.steps.append(.arguments(passed)) }
        return reading
    }
}

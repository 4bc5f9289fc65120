/// Reads calls as Python has them, with keyword arguments: one, or a list of them. A call is told of when it is whole.
struct PythonCallReader: CallReader {
    private enum State { case start, item, name, arguments }

    private let isList: Bool
    /// Names of which a call's has to be one; empty for any.
    private let known: Set<String>
    private var state = State.start
    private var held: [UInt8] = []
    private var name = ""
    private var depth = 0
    private var quote: UInt8?
    private var isEscaped = false
    private(set) var hasBegun = false

    init(isList: Bool, known: Set<String> = []) { (self.isList, self.known) = (isList, known) }

    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading {
        var reading = CallReading()
        for byte in bytes {
            reading.count += 1
            switch state {
            case .start:
                if AnswerParser.isBlank(byte) { continue }
                if isList, byte == UInt8(ascii: "[") {
                    state = .item
                    continue
                }
                (held, state) = ([byte], .name)
            case .item:
                if AnswerParser.isBlank(byte) || byte == UInt8(ascii: ",") { continue }
                if byte == UInt8(ascii: "]") {
                    reading.state = hasBegun ? .done : .malformed
                    return reading
                }
                (held, state) = ([byte], .name)
            case .name:
                guard byte == UInt8(ascii: "(") else {
                    held.append(byte)
                    if held.count > 2 * Tool.nameLimit || !(Tool.isName(String(decoding: held, as: UTF8.self))) {
                        reading.state = .malformed
                        return reading
                    }
                    continue
                }
                name = String(decoding: held, as: UTF8.self)
                guard Tool.isName(name), known.isEmpty || known.contains(name) else {
                    reading.state = .malformed
                    return reading
                }
                (held, state, depth) = ([], .arguments, 1)
            case .arguments:
                guard ends(byte) else {
                    held.append(byte)
                    continue
                }
                guard let arguments = PythonLiteral.arguments(held) else {
                    reading.state = .malformed
                    return reading
                }
                reading.steps += [.name(name), .arguments(arguments)]
                (hasBegun, state) = (true, .item)
                if !isList {
                    reading.state = .done
                    return reading
                }
            }
        }
        return reading
    }

    /// Whether the byte is the bracket that ends the arguments.
    private mutating func ends(_ byte: UInt8) -> Bool {
        if let own = quote {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == own {
                quote = nil
            }
            return false
        }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): quote = byte
        case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
        default: break
        }
        return depth == 0
    }
}

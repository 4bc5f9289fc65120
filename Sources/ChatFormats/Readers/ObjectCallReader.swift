import JSON

/// Reads calls that are JSON objects with a name and arguments, by themselves or in a list. Keys may stand in any order, and
/// others among them.
struct ObjectCallReader: CallReader {
    private enum State {
        case start
        /// In the list, before an object.
        case item
        /// In an object: before a key, in one, before a value, in one.
        case key
        case inKey
        case colon
        case value
        /// Behind an object.
        case end
    }

    /// Other names of the same, which models confuse.
    private static let names = ["name", "tool_name", "function", "function_name"]
    private static let arguments = ["arguments", "parameters", "args", "input"]

    private let nameKey: String
    private let argumentsKey: String
    /// Whether a list may stand around them; and whether one does.
    private let isList: Bool
    private var isInList = false
    /// Names of which a call's has to be one; empty for any.
    private let known: Set<String>
    private var state = State.start
    private var scanner = JSONScanner()
    /// A key, or a value that is looked at when it is whole.
    private var held: [UInt8] = []
    private var key = ""
    private var name: String?
    private var waitingArguments: [UInt8]?
    private var passesOn = false
    private var hasArguments = false
    private(set) var hasBegun = false

    init(name: String, arguments: String, isList: Bool, known: Set<String> = []) {
        (nameKey, argumentsKey, self.isList, self.known) = (name, arguments, isList, known)
    }

    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading {
        var reading = CallReading()
        var passed: [UInt8] = []
        while reading.count < bytes.count {
            let byte = bytes[reading.count]
            if state == .value {
                let place = scanner.take(byte)
                if place != .behind {
                    if passesOn { passed.append(byte) } else { held.append(byte) }
                    reading.count += 1
                }
                if place == .inside { continue }
                if passesOn {
                    reading.steps.append(.arguments(passed))
                    passed = []
                } else if !takeValue(&reading) {
                    reading.state = .malformed
                    return reading
                }
                state = .key
                continue
            }
            reading.count += 1
            if state != .inKey, AnswerParser.isBlank(byte) { continue }
            switch (state, byte) {
            case (.start, UInt8(ascii: "[")) where isList: (state, isInList) = (.item, true)
            case (.start, UInt8(ascii: "{")), (.item, UInt8(ascii: "{")): begin()
            case (.item, UInt8(ascii: ",")): break
            case (.item, UInt8(ascii: "]")):
                reading.state = hasBegun ? .done : .malformed
                return reading
            case (.key, UInt8(ascii: ",")): break
            case (.key, UInt8(ascii: "\"")): (state, held, scanner) = (.inKey, [byte], JSONScanner())
            case (.key, UInt8(ascii: "}")):
                guard name != nil else {
                    reading.state = .malformed
                    return reading
                }
                if !hasArguments { reading.steps.append(.arguments(Array("{}".utf8))) }
                state = .item
                if isInList { continue }
                reading.state = .done
                return reading
            case (.inKey, _):
                held.append(byte)
                if byte == UInt8(ascii: "\""), held.count > 1, held[held.count - 2] != UInt8(ascii: "\\") {
                    key = (try? JSONParser.parse(held))?.text ?? ""
                    state = .colon
                    // An object that is about something else is not held back for long.
                    if !hasBegun, known.isEmpty == false, !isOfCall(key) {
                        reading.state = .malformed
                        return reading
                    }
                } else if held.count > 2 * Tool.nameLimit {
                    reading.state = .malformed
                    return reading
                }
            case (.colon, UInt8(ascii: ":")):
                (state, held, scanner) = (.value, [], JSONScanner())
                passesOn = isArguments(key) && name != nil && !hasArguments
            default:
                reading.state = .malformed
                return reading
            }
            // Arguments that begin are looked at first: a text, or nothing, is told when it is whole.
            if state == .value, passesOn {
                let rest = bytes[reading.count...].drop(while: AnswerParser.isBlank)
                guard let first = rest.first else {
                    if isLast { break }
                    // The colon is read again, with what follows it.
                    reading.count -= 1
                    state = .colon
                    return reading
                }
                reading.count += bytes[reading.count...].count - rest.count
                passesOn = first == UInt8(ascii: "{")
                if passesOn { hasArguments = true }
            }
        }
        if !passed.isEmpty { reading.steps.append(.arguments(passed)) }
        return reading
    }

    private mutating func begin() {
        (state, name, waitingArguments, hasArguments, passesOn) = (.key, nil, nil, false, false)
    }

    private func isName(_ key: String) -> Bool { key == nameKey || Self.names.contains(key) }
    private func isArguments(_ key: String) -> Bool { key == argumentsKey || Self.arguments.contains(key) }
    private func isOfCall(_ key: String) -> Bool { isName(key) || isArguments(key) || key == "type" || key == "id" }

    /// - Returns: whether it may be a call's.
    private mutating func takeValue(_ reading: inout CallReading) -> Bool {
        let value = try? JSONParser.parse(held)
        if isName(key), name == nil, let text = value?.text {
            guard known.isEmpty || known.contains(text) else { return false }
            name = text
            reading.steps.append(.name(text))
            hasBegun = true
            if let waiting = waitingArguments {
                reading.steps.append(.arguments(waiting))
                (hasArguments, waitingArguments) = (true, nil)
            }
        } else if isArguments(key), !hasArguments {
            // Some models write the arguments' text as a string.
            let own =
                value?.text.map { Array($0.utf8) } ?? (value?.isNull ?? true ? Array("{}".utf8) : held.withoutBlanks)
            if name == nil {
                waitingArguments = own
            } else {
                reading.steps.append(.arguments(own))
                hasArguments = true
            }
        }
        return true
    }
}

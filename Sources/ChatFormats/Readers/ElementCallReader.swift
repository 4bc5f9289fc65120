import JSON

/// Reads a call whose parameters stand as elements: each one's name and value between texts. Values of parameters that are
/// texts are bare; others are JSON, and what is none is a text.
struct ElementCallReader: CallReader {
    private enum State { case before, name, parameters, key, value, end }

    private let before: [UInt8]
    private let nameEnd: [UInt8]
    private let after: [UInt8]
    private let keyBegin: [UInt8]
    private let keyEnd: [UInt8]
    /// Between the name's end and the value, where an element of its own holds it.
    private let valueBegin: [UInt8]
    private let valueEnd: [UInt8]
    /// What stands between the name and a value that is no text, where it tells these apart; with what texts have there.
    private let kinds: (text: [UInt8], other: [UInt8])?
    private let wrapsTexts: Bool
    /// Whether a line break behind the value's beginning and before its end is the frame's.
    private let hasOwnLines: Bool
    private let tools: [Tool]

    private var state = State.before
    private var tool: Tool?
    private var key = ""
    private var isText = false
    private var parameterCount = 0
    /// A value that is looked at when it is whole; and whether one has begun.
    private var held: [UInt8] = []
    private var hasBegunValue = false
    private var isWrapped = false
    private static let wrap = (begin: Array("<![CDATA[".utf8), end: Array("]]>".utf8))
    private(set) var hasBegun = false

    init(
        before: String, between: String, after: String,
        _ element: (before: String, between: String, after: String), otherwise: String? = nil, wrapsTexts: Bool = false,
        tools: [Tool]
    ) {
        func bare(_ text: String) -> [UInt8] { Array(text.utf8).withoutBlanks }
        (self.before, nameEnd, self.after) = (bare(before), bare(between), bare(after))
        keyBegin = bare(element.before)
        if let otherwise {
            // `" string="true">` and `" string="false">`: what they have in common ends the key.
            let shared = zip(element.between.utf8, otherwise.utf8).prefix { $0 == $1 }.count
            (keyEnd, valueBegin) = (Array(element.between.utf8.prefix(shared)), [])
            kinds = (Array(element.between.utf8.dropFirst(shared)), Array(otherwise.utf8.dropFirst(shared)))
        } else {
            // `</arg_key>`, a line break, `<arg_value>`: two texts.
            let parts = bare(element.between).split(whereSeparator: AnswerParser.isBlank).map(Array.init)
            (keyEnd, valueBegin, kinds) = (parts.first ?? [], parts.count > 1 ? parts[1] : [], nil)
        }
        self.wrapsTexts = wrapsTexts
        valueEnd = bare(element.after)
        hasOwnLines = element.after.first == "\n"
        self.tools = tools
    }

    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading {
        var reading = CallReading()
        while step(bytes[reading.count...], &reading, isLast) {}
        return reading
    }

    /// - Returns: whether there may be more to read.
    private mutating func step(_ rest: ArraySlice<UInt8>, _ reading: inout CallReading, _ isLast: Bool) -> Bool {
        switch state {
        case .before: return expect(before, .name, rest, &reading, isLast)
        case .name: return readName(rest, &reading, isLast)
        case .parameters:
            let own = rest.drop(while: AnswerParser.isBlank)
            if own.starts(with: keyBegin) {
                reading.count += rest.count - own.count + keyBegin.count
                state = .key
                return true
            }
            if !isLast, keyBegin.starts(with: own) || !after.isEmpty && after.starts(with: own) { return false }
            state = .end
            return true
        case .key:
            guard let place = AnswerParser.first([keyEnd], in: Array(rest))?.place else {
                if rest.count > 4 * Tool.nameLimit { reading.state = .malformed }
                return false
            }
            let name = Array(rest.prefix(place)).withoutBlanks
            let next = rest.dropFirst(place + keyEnd.count)
            var skipped = 0
            var isText: Bool?
            if let kinds {
                guard let kind = [kinds.text, kinds.other].first(where: { next.starts(with: $0) }) else {
                    let mayCome = kinds.text.starts(with: next) || kinds.other.starts(with: next)
                    if isLast || !mayCome { reading.state = .malformed }
                    return false
                }
                (skipped, isText) = (kind.count, kind == kinds.text)
            }
            if !valueBegin.isEmpty {
                let own = next.drop(while: AnswerParser.isBlank)
                if !own.starts(with: valueBegin) {
                    if !isLast, valueBegin.starts(with: own) { return false }
                    reading.state = .malformed
                    return false
                }
                skipped = next.count - own.count + valueBegin.count
            }
            reading.count += place + keyEnd.count + skipped
            begin(String(decoding: name, as: UTF8.self), isText, &reading)
            return true
        case .value: return readValue(rest, &reading, isLast)
        case .end:
            reading.steps.append(.arguments(Array((parameterCount == 0 ? "{}" : "}").utf8)))
            _ = rest.skip(after, &reading, true)
            reading.state = .done
            return false
        }
    }

    private mutating func expect(
        _ text: [UInt8], _ next: State, _ rest: ArraySlice<UInt8>, _ reading: inout CallReading, _ isLast: Bool
    ) -> Bool {
        guard let found = rest.skip(text, &reading, isLast) else { return false }
        if found { state = next } else { reading.state = .malformed }
        return found
    }

    private mutating func readName(_ rest: ArraySlice<UInt8>, _ reading: inout CallReading, _ isLast: Bool) -> Bool {
        let own = rest.drop(while: AnswerParser.isBlank)
        let place: Int?
        if nameEnd.isEmpty {
            // A line break, or whatever is no part of a name.
            place = own.firstIndex { AnswerParser.isBlank($0) || $0 == UInt8(ascii: "<") }.map { $0 - own.startIndex }
        } else {
            place = AnswerParser.first([nameEnd], in: Array(own))?.place
        }
        guard let place else {
            if isLast || own.count > 2 * Tool.nameLimit { reading.state = .malformed }
            return false
        }
        let name = String(decoding: own.prefix(place), as: UTF8.self)
        guard Tool.isName(name) else {
            reading.state = .malformed
            return false
        }
        reading.steps.append(.name(name))
        reading.count += rest.count - own.count + place + nameEnd.count
        tool = tools.first { $0.name == name }
        (hasBegun, state) = (true, .parameters)
        return true
    }

    private mutating func begin(_ key: String, _ isText: Bool?, _ reading: inout CallReading) {
        self.key = key
        self.isText = isText ?? tool?.isText(key) ?? false
        let frame =
            (parameterCount == 0 ? "{" : ", ") + String(decoding: JSONValue.string(key).bytes, as: UTF8.self) + ": "
        reading.steps.append(.arguments(Array((frame + (self.isText ? "\"" : "")).utf8)))
        parameterCount += 1
        (held, hasBegunValue, isWrapped, state) = ([], false, false, .value)
    }

    private mutating func readValue(_ rest: ArraySlice<UInt8>, _ reading: inout CallReading, _ isLast: Bool) -> Bool {
        var own = rest
        if !hasBegunValue, hasOwnLines {
            if own.isEmpty { return false }
            if own.first == 0x0A { own = own.dropFirst() }
        }
        if !hasBegunValue, wrapsTexts {
            if !isLast, own.count < Self.wrap.begin.count, Self.wrap.begin.starts(with: own) { return false }
            if own.starts(with: Self.wrap.begin) {
                own = own.dropFirst(Self.wrap.begin.count)
                isWrapped = true
                if !isText { reading.steps.append(.arguments([UInt8(ascii: "\"")])) }
                isText = true
            }
        }
        hasBegunValue = true
        let valueEnd = isWrapped ? Self.wrap.end + self.valueEnd : self.valueEnd
        let found = AnswerParser.first([valueEnd], in: Array(own))
        var end =
            found?.place
            ?? (isLast ? own.count : own.count - AnswerParser.suffix(of: Array(own), beginning: [valueEnd]))
        let next = end
        if hasOwnLines, end > 0, own[own.startIndex + end - 1] == 0x0A, found != nil || !isLast { end -= 1 }
        let text = own.prefix(end)
        if isText { reading.steps.append(.arguments(escapedJSON(text))) } else { held += text }
        // A line break that may be the frame's waits.
        reading.count += rest.count - own.count + (found == nil ? end : next + valueEnd.count)
        guard found != nil else { return false }
        if isText {
            reading.steps.append(.arguments([UInt8(ascii: "\"")]))
        } else {
            reading.steps.append(
                .arguments(
                    PythonLiteral.json(held.withoutBlanks)
                        ?? JSONValue.string(String(decoding: held, as: UTF8.self)).bytes))
        }
        state = .parameters
        return true
    }
}

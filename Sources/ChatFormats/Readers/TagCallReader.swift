import JSON

/// Reads a call whose parameters stand between tags of their names, as MiniMax M3 writes it: a sign, `<city>`, the value, the
/// sign, `</city>`. Lists have `<item>`, objects their members. What a text is, the tool's schema says.
struct TagCallReader: CallReader {
    private let before: [UInt8]
    private let between: [UInt8]
    private let after: [UInt8]
    private let sign: [UInt8]
    private let tools: [Tool]
    private(set) var hasBegun = false

    private static let depthLimit = 32

    init(before: String, between: String, after: String, sign: String, tools: [Tool]) {
        (self.before, self.between, self.after) = (Array(before.utf8), Array(between.utf8), Array(after.utf8))
        (self.sign, self.tools) = (Array(sign.utf8), tools)
    }

    /// A call is told when it is whole: only its end says whether what stands in it is a list.
    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading {
        var reading = CallReading()
        guard let begins = bytes[...].skip(before, &reading, isLast) else { return CallReading() }
        let rest = Array(bytes[reading.count...])
        guard begins else {
            reading.state = .malformed
            return reading
        }
        guard let end = AnswerParser.first([after], in: rest)?.place else { return CallReading() }
        let own = Array(rest[..<end])
        reading.count += end + after.count
        guard let nameEnd = AnswerParser.first([between], in: own)?.place,
            case let name = String(decoding: own[..<nameEnd], as: UTF8.self), Tool.isName(name)
        else {
            reading.state = .malformed
            return reading
        }
        var literal = TagLiteral(Array(own[(nameEnd + between.count)...]), sign)
        let schema = tools.first { $0.name == name }?.parameters
        guard let arguments = literal.value(schema, endingWith: nil, depth: Self.depthLimit) else {
            reading.state = .malformed
            return reading
        }
        let isObject = if case .object = arguments { true } else { false }
        reading.steps = [.name(name), .arguments(isObject ? arguments.bytes : Array("{}".utf8))]
        (hasBegun, reading.state) = (true, .done)
        return reading
    }
}

private struct TagLiteral {
    private let bytes: [UInt8]
    private let sign: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8], _ sign: [UInt8]) { (self.bytes, self.sign) = (bytes, sign) }

    /// What stands up to the end of a tag, which is taken; or of all.
    mutating func value(_ schema: JSONValue?, endingWith name: [UInt8]?, depth: Int) -> JSONValue? {
        guard depth > 0 else { return nil }
        let start = place
        var members: [(key: String, value: JSONValue)] = []
        while true {
            guard let tag = nextTag() else {
                return name == nil ? whole(members, bytes[start...], schema) : nil
            }
            if tag.isEnd {
                guard tag.name == name else { return nil }
                return whole(members, bytes[start..<tag.place], schema)
            }
            let key = String(decoding: tag.name, as: UTF8.self)
            let isItem = schema?["type"]?.text == "array" || schema?["properties"]?[key] == nil && key == "item"
            let own = isItem ? schema?["items"] : schema?["properties"]?[key]
            guard let value = value(own, endingWith: tag.name, depth: depth - 1) else { return nil }
            members.append((key, value))
        }
    }

    private mutating func nextTag() -> (name: [UInt8], isEnd: Bool, place: Int)? {
        while let found = AnswerParser.first([sign + [UInt8(ascii: "<")]], in: Array(bytes[place...]))?.place {
            let start = place + found
            place = start + sign.count + 1
            let isEnd = place < bytes.count && bytes[place] == UInt8(ascii: "/")
            if isEnd { place += 1 }
            guard let length = bytes[place...].firstIndex(of: UInt8(ascii: ">")) else { return nil }
            let name = Array(bytes[place..<length])
            place = length + 1
            return (name, isEnd, start)
        }
        return nil
    }

    private func whole(
        _ members: [(key: String, value: JSONValue)], _ text: ArraySlice<UInt8>, _ schema: JSONValue?
    ) -> JSONValue {
        let type = schema?["type"]?.text
        if members.isEmpty {
            switch type {
            case "string": return .string(String(decoding: text, as: UTF8.self))
            case "array" where Array(text).withoutBlanks.isEmpty: return .array([])
            case "object" where Array(text).withoutBlanks.isEmpty: return .object(JSONObject([]))
            default:
                let json = PythonLiteral.json(Array(text).withoutBlanks).flatMap { try? JSONParser.parse($0) }
                return json ?? .string(String(decoding: text, as: UTF8.self))
            }
        }
        let isList =
            type == "array"
            || type != "object" && schema?["properties"] == nil && members.allSatisfy { $0.key == "item" }
        if isList { return .array(members.map(\.value)) }
        var names = Set<String>()
        return .object(JSONObject(members.filter { names.insert($0.key).inserted }))
    }
}

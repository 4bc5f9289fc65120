extension JSONValue: Encodable {
    /// Members come in the encoder's order. A number that neither `Int64` nor `Double` holds is rounded.
    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let object):
            var container = encoder.container(keyedBy: MemberKey.self)
            for (key, value) in object.members { try container.encode(value, forKey: MemberKey(stringValue: key)) }
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(element) }
        default:
            var container = encoder.singleValueContainer()
            switch self {
            case .string(let text): try container.encode(text)
            case .number(let number):
                if let integer = number.integer(Int64.self) {
                    try container.encode(integer)
                } else {
                    try container.encode(number.double)
                }
            case .bool(let flag): try container.encode(flag)
            default: try container.encodeNil()
            }
        }
    }

    private struct MemberKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

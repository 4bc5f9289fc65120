/// The names of the members that open objects of a JSON text have so far.
struct MemberNames: Sendable {
    private struct Container {
        var isObject: Bool
        /// Whether a string that begins is a name.
        var expectsName: Bool
        var names: Set<[Unicode.Scalar]> = []
    }

    private var containers: [Container] = []
    /// A string's bytes so far, with its quotation mark; nil outside of strings.
    private var string: [UInt8]?
    private var isName = false
    private var isEscaped = false

    /// The names of the innermost object.
    var innermost: Set<[Unicode.Scalar]> { containers.last?.names ?? [] }

    /// Takes in more of a text, which so far is JSON.
    mutating func append(_ bytes: [UInt8]) {
        for byte in bytes { append(byte) }
    }

    private mutating func append(_ byte: UInt8) {
        if string != nil {
            appendToString(byte)
            return
        }
        switch byte {
        case UInt8(ascii: "\""):
            string = [byte]
            isName = containers.last.map { $0.isObject && $0.expectsName } ?? false
        case UInt8(ascii: "{"): containers.append(Container(isObject: true, expectsName: true))
        case UInt8(ascii: "["): containers.append(Container(isObject: false, expectsName: false))
        case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = containers.popLast()
        case UInt8(ascii: ","): if !containers.isEmpty { containers[containers.count - 1].expectsName = true }
        default: break
        }
    }

    private mutating func appendToString(_ byte: UInt8) {
        if isName { string?.append(byte) }
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            if isName, let name = string.flatMap(ReadText.string) {
                containers[containers.count - 1].names.insert(name)
                containers[containers.count - 1].expectsName = false
            }
            string = nil
        }
    }
}

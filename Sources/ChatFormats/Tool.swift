package import JSON

/// A function that a model may call.
package struct Tool: Sendable {
    package let name: String
    /// A JSON Schema of its arguments; nil for any object.
    package let parameters: JSONValue?
    /// Whether arguments that are not of the schema are no answer, so that a schema which cannot be enforced is refused.
    package let isStrict: Bool

    package init(name: String, parameters: JSONValue? = nil, isStrict: Bool = false) {
        (self.name, self.parameters, self.isStrict) = (name, parameters, isStrict)
    }

    /// Characters of a name, at most.
    package static let nameLimit = 128

    /// Whether a name is one: letters and digits of ASCII and `_`, `-`, `.`, `:`, `/`, so that none begins a control token or
    /// ends a form's frame.
    package static func isName(_ name: String) -> Bool {
        (1...nameLimit).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: Array("_-.:/".utf8).contains(byte)
                }
            }
    }

    /// What is wrong with a list of tools, and where.
    package struct Fault: Error, Sendable {
        /// `[2].function.name`.
        package let place: String
        package let problem: String
    }

    /// Reads a request's `tools`: functions in OpenAI's form.
    package static func list(_ tools: JSONValue) throws(Fault) -> [Tool] {
        guard let elements = tools.elements else {
            throw Fault(place: "", problem: "is \(tools.kind); it must be an array")
        }
        var list: [Tool] = []
        for (index, element) in elements.enumerated() {
            let tool = try Tool(element, at: "[\(index)]")
            if list.contains(where: { $0.name == tool.name }) {
                throw Fault(place: "[\(index)].function.name", problem: "is '\(tool.name)', as an earlier tool's")
            }
            list.append(tool)
        }
        return list
    }

    private init(_ element: JSONValue, at place: String) throws(Fault) {
        let type = element["type"]?.text
        guard type == nil || type == "function" else {
            throw Fault(
                place: place + ".type", problem: "is '\(type?.prefix(40) ?? "")'; the models here call functions only")
        }
        // Responses has a function's fields beside its type.
        let function = element["function"] ?? element
        guard let name = function["name"]?.text else {
            throw Fault(place: place + ".function.name", problem: "is missing; it must be a text")
        }
        guard Self.isName(name) else {
            throw Fault(
                place: place + ".function.name",
                problem:
                    "is '\(name.prefix(40))'; a name has 1 to \(Self.nameLimit) letters, digits, or any of _ - . : /")
        }
        var parameters = function["parameters"]
        switch parameters {
        case .object(let object)?: if object.members.isEmpty { parameters = nil }
        case nil, .null?: parameters = nil
        case let other?:
            throw Fault(place: place + ".function.parameters", problem: "is \(other.kind); it must be a JSON Schema")
        }
        var isStrict = false
        switch function["strict"] {
        case nil, .null?: break
        case .bool(let flag)?: isStrict = flag
        case let other?:
            throw Fault(place: place + ".function.strict", problem: "is \(other.kind); it must be a boolean")
        }
        self.init(name: name, parameters: parameters, isStrict: isStrict)
    }

    /// Whether a parameter's value is a text, and nothing else: forms without quotation marks write it bare.
    func isText(_ parameter: String) -> Bool {
        parameters?["properties"]?[parameter]?["type"]?.text == "string"
    }
}

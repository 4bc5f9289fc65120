/// What is wrong with a GGUF file.
package struct GGUFError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The file cannot be opened or read.
        case unreadable
        /// The bytes are not what the format promises.
        case malformed
        /// The file asks for something that is not implemented.
        case unsupported
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

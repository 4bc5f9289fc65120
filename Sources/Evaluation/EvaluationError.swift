/// What keeps a model or pictures from being judged.
package struct EvaluationError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case invalidOption
        /// A file cannot be read, or holds too little.
        case invalidData
        /// The model cannot do what is measured.
        case unsupported
        case internalError
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

    package var description: String { message }
}

/// What is wrong with a tokenizer's files or with what it was asked.
package struct TokenizerError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A file cannot be read.
        case unreadable
        /// A file is not what its format promises.
        case malformed
        /// The file asks for something that this tokenizer does not do.
        case unsupported
        /// The request cannot be carried out: an unknown id, a template that refuses its messages.
        case invalidRequest
    }

    package var code: Code
    package var message: String
    /// The field of the request that is at fault; nil where the request as a whole is.
    package var field: String?

    package init(_ code: Code, _ message: String, field: String? = nil) {
        self.code = code
        self.message = message
        self.field = field
    }

    package var description: String { message }
}

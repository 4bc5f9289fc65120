package import Tensors

/// What is wrong with a text model's checkpoint or with a request for it.
package struct TextModelError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The checkpoint cannot be read or is not what it promises.
        case invalidCheckpoint
        /// The checkpoint asks for something that is not implemented.
        case unsupported
        /// A parameter of the request lies outside its range; `field` names it.
        case invalidRequest
        /// What a resume says of the text is not what its ids give.
        case resumeMismatch
        /// Prompt and answer do not fit the model's context.
        case contextLengthExceeded
        /// The queue is full.
        case resourceExhausted
    }

    package var code: Code
    package var message: String
    /// The request's parameter that is at fault.
    package var field: String?

    package init(_ code: Code, _ message: String, field: String? = nil) {
        self.code = code
        self.message = message
        self.field = field
    }

    package init(_ error: TensorError) {
        self.init(error.code == .tooLarge ? .resourceExhausted : .invalidCheckpoint, error.message)
    }

    package var description: String { message }
}

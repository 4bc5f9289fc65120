package import Tensors
package import TextModels

/// What is wrong with a training run.
package struct TrainingError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case invalidOption
        /// The data cannot be read as what the method needs.
        case invalidData
        /// The model or its tokenizer does not fit.
        case unsupported
        /// A loss or a gradient was not a number.
        case diverged
        case unwritable
        /// Another run has the directory.
        case inUse
        case internalError
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

    package init(_ error: TensorError) {
        self.init(error.code == .unwritable ? .unwritable : .internalError, error.message)
    }

    package init(_ error: TextModelError) {
        self.init(error.code == .unsupported ? .unsupported : .invalidOption, error.message)
    }

    package var description: String { message }
}

/// What went wrong with a file or value that came from outside.
package struct TensorError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The file cannot be opened or read.
        case unreadable
        /// The file cannot be written.
        case unwritable
        /// The bytes are not what their format promises.
        case malformed
        /// A tensor that is asked for is not there.
        case missing
        /// A tensor has another shape or element type than is needed.
        case mismatch
        /// More than this process accepts or has.
        case tooLarge
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

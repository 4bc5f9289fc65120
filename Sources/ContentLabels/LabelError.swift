/// Why something could not be labelled, or not be labelled as it was asked.
package struct LabelError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// A certificate or key file is not what it should be.
        case invalidCredentials
        /// A picture that no label can be put into.
        case invalidPicture
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

    package var description: String { message }
}

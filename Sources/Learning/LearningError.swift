/// Why a round of learning cannot go on.
package struct LearningError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// Another process works on the round.
        case busy
        /// The gateway answered what no gateway does.
        case malformed
        case trainingFailed
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

    package var description: String { message }
}

/// Why a model cannot be had from where it is said to be.
package struct HubError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The name of the model is none.
        case invalidName
        /// There is no such repository, revision, file, or model in a store.
        case notFound
        /// The hub refuses: a token is missing, or may not read this.
        case refused
        /// The hub is not reached, or gives up.
        case unreachable
        /// The network is not to be used.
        case offline
        /// An answer, or a file of a store, is not what it should be.
        case malformed
        /// The model is of a kind that is not read.
        case unsupported
        /// A file's content is not what its digest says.
        case mismatch
        /// The disk is full, or may not be written.
        case disk
    }

    package var code: Code
    package var message: String

    package var description: String { message }

    init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }
}

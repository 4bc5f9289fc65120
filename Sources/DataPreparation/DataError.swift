/// What keeps data from being prepared.
package struct DataError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case invalidOption
        /// A file cannot be read, or lines of it are not what they should be.
        case invalidData
        /// A format that is not read.
        case unsupported
        case unwritable
        /// The index of duplicates is as large as it may be.
        case outOfMemory
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

    package var description: String { message }
}

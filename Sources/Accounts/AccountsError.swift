/// Why accounts could not do what they were asked.
package struct AccountsError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable { case notFound, alreadyExists, invalid, storage }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

    package var description: String { message }
}

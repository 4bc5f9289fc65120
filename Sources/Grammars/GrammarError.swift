/// Why a grammar cannot be followed.
package struct GrammarError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// It is no schema, pattern or grammar at all.
        case malformed
        /// It asks for something that is not enforced.
        case unsupported
        /// Nothing satisfies it.
        case unsatisfiable
        /// It takes more states than a request may have.
        case tooComplex
        /// It is still being read: never leaves the module.
        case pending
    }

    package var code: Code
    /// Where in the schema, as a JSON pointer in a fragment (`#/properties/a`); nil where that is not known.
    package var path: String?
    /// A sentence's rest, whose subject is the place: «"minimum" is "x"; it must be a number».
    package var message: String

    package init(_ code: Code, at path: String? = nil, _ message: String) {
        (self.code, self.path, self.message) = (code, path, message)
    }

    package var description: String { path.map { "\($0): \(message)" } ?? message }
}

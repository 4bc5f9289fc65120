/// What is wrong with a template, or with the values that it was given.
package struct JinjaError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The source is not a template.
        case syntax
        /// The template asks for something that this interpreter does not do.
        case unsupported
        /// Rendering fails: jinja2 raises an error of its own here.
        case evaluation
        /// The template itself refuses its values, by `raise_exception`.
        case raised
        /// The template takes more steps, depth or room than it may.
        case limit
    }

    package var code: Code
    /// Never holds text that the template did not write.
    package var message: String
    /// Counted from 1; nil until the statement at fault is known.
    package var line: Int?

    package init(_ code: Code, _ message: String, line: Int? = nil) {
        (self.code, self.message, self.line) = (code, message, line)
    }

    package var description: String { (line.map { "line \($0): " } ?? "") + message }
}

/// What is wrong with a policy, a list or a pattern.
package struct FilterError: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

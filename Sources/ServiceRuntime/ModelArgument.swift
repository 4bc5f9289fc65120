import ArgumentParser

/// A model on the command line: `NAME=DIRECTORY`, or a directory whose last component is the name.
package struct ModelArgument: ExpressibleByArgument, Sendable {
    package let name: String
    package let directory: String

    package init?(argument: String) {
        if let equals = argument.firstIndex(of: "=") {
            name = String(argument[..<equals])
            directory = String(argument[argument.index(after: equals)...])
        } else {
            directory = argument
            name = argument.split(separator: "/").last.map { String($0) } ?? ""
        }
        if name.isEmpty || directory.isEmpty { return nil }
    }
}

/// What is wrong with a configuration file, and where.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package var file: String
    /// Both count from 1; 0 where the whole file is meant.
    package var line: Int
    package var column: Int
    package var message: String

    package init(file: String, line: Int = 0, column: Int = 0, _ message: String) {
        (self.file, self.line, self.column, self.message) = (file, line, column, message)
    }

    /// As compilers say it, so that editors jump there: `routes.yaml:12:5: …`.
    package var description: String { line == 0 ? "\(file): \(message)" : "\(file):\(line):\(column): \(message)" }
}

import ArgumentParser

/// A LoRA adapter on the command line: `NAME=DIRECTORY`.
package struct AdapterArgument: ExpressibleByArgument, Sendable {
    package let name: String
    package let directory: String

    package init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        (name, directory) = (String(parts[0]), String(parts[1]))
    }
}

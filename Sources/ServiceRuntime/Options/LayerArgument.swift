import ArgumentParser

/// Layers of a model on the command line: `FIRST-LAST`, counted from 0.
package struct LayerArgument: ExpressibleByArgument, Sendable, Hashable {
    package let layers: Range<Int>

    package init?(argument: String) {
        let parts = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let first = parts[0], let last = parts[1], first >= 0, last >= first, last < 65_536
        else { return nil }
        layers = first..<last + 1
    }
}

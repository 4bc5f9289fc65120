import ArgumentParser

/// A span of time on the command line: `500ms`, `30s`, `10m`, `2h`.
package struct IdleTime: ExpressibleByArgument, Sendable, Hashable {
    package let duration: Duration

    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
    ]

    package init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.suffix) }),
            let count = Int64(argument.dropLast(unit.suffix.count)), (1...1_000_000).contains(count)
        else { return nil }
        duration = .milliseconds(count * unit.milliseconds)
    }
}

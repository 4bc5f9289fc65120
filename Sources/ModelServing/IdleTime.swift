/// For how long nobody asks before a model is let go, as people write it: `500ms`, `30s`, `10m`, `2h`.
package struct IdleTime: Sendable, Hashable, CustomStringConvertible {
    package let duration: Duration
    package let description: String

    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
    ]

    package init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.suffix) }),
            let count = Int64(argument.dropLast(unit.suffix.count)), (1...1_000_000).contains(count)
        else { return nil }
        (duration, description) = (.milliseconds(count * unit.milliseconds), argument)
    }
}

/// A name in which `*` stands for anything.
package struct Glob: Sendable, Equatable {
    package let pattern: String

    package init(_ pattern: String) { self.pattern = pattern }

    package func matches(_ name: String) -> Bool {
        guard pattern.utf8.contains(UInt8(ascii: "*")) else { return pattern == name }
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false).map { Array($0.utf8) }
        var rest = Array(name.utf8)[...]
        guard rest.starts(with: parts[0]) else { return false }
        rest = rest.dropFirst(parts[0].count)
        for part in parts.dropFirst().dropLast() {
            // The leftmost place of a part leaves the most room for the next ones.
            guard
                let place = rest.indices.first(where: { rest[$0...].starts(with: part) })
                    ?? (part.isEmpty ? rest.startIndex : nil)
            else { return false }
            rest = rest[(place + part.count)...]
        }
        guard let last = parts.last else { return true }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }
}

/// Finds the name that was meant by one that is not known.
package enum Spelling {
    /// The known name with the fewest letters changed, left out, added or swapped with their neighbour; nil where none is
    /// near.
    package static func nearest(to name: String, among known: [String]) -> String? {
        let nearest = known.map { (name: $0, distance: distance(name, $0)) }.min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= max(1, min(name.count, nearest.name.count) / 3) else { return nil }
        return nearest.name
    }

    /// The optimal string alignment distance, row by row.
    private static func distance(_ name: String, _ known: String) -> Int {
        let a = Array(name.unicodeScalars.prefix(100)), b = Array(known.unicodeScalars)
        var (before, row) = ([Int](), Array(0...b.count))
        for i in a.indices {
            var next = [i + 1]
            for j in b.indices {
                var least = min(row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, before[j - 1] + 1) }
                next.append(least)
            }
            (before, row) = (row, next)
        }
        return row[b.count]
    }
}

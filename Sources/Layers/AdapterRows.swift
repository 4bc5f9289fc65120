package import Tensors

/// Which rows of a pass adapters change.
package struct AdapterRows: Sendable {
    private struct Group: Sendable {
        var adapter: LowRankAdapter
        var rows: [Int]
        /// Whether the rows follow one another, so that they can be worked on where they are.
        var isContiguous = true
    }

    /// One for each adapter: its rows go through its matrices together.
    private var groups: [Group] = []

    package init() {}

    /// Adds rows that come after all that were added before.
    package mutating func append(_ rows: Range<Int>, _ adapter: LowRankAdapter) {
        guard let index = groups.firstIndex(where: { $0.adapter.contentID == adapter.contentID }) else {
            groups.append(Group(adapter: adapter, rows: Array(rows)))
            return
        }
        if groups[index].rows.last.map({ $0 + 1 }) != rows.first { groups[index].isContiguous = false }
        groups[index].rows += rows
    }

    /// y += s · B (A x) for the linear layer of that number, in each row by the row's own adapter. Other rows are not
    /// touched; and since a matrix product's row does not depend on the rows beside it, neither does what is added.
    package func add(to y: Tensor, of x: Tensor, linear number: Int, on device: Device) throws(TensorError) {
        for group in groups {
            guard let update = group.adapter.updates[number] else { continue }
            if group.isContiguous, let first = group.rows.first {
                let rows = first..<first + group.rows.count
                try update.add(to: y.rows(rows), of: x.rows(rows), on: device)
            } else {
                let own = try device.select(group.rows, from: y)  // [m, N]
                try update.add(to: own, of: try device.select(group.rows, from: x), on: device)
                y.replaceRows(group.rows, with: own)
            }
        }
    }
}

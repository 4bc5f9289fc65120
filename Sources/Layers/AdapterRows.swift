package import Tensors

/// Which rows of a pass adapters change.
package struct AdapterRows: Sendable {
    private struct Group: Sendable {
        var adapter: LowRankAdapter
        var rows: [Int]
        /// Whether the rows follow one another, so that they can be worked on where they are.
        var isContiguous = true

        /// Changes y in the group's rows, with those of x beside it.
        func change(
            _ y: Tensor, _ x: Tensor, on device: Device, _ change: (Tensor, Tensor) throws(TensorError) -> Void
        ) throws(TensorError) {
            if isContiguous, let first = rows.first {
                let range = first..<first + rows.count
                return try change(y.rows(range), x.rows(range))
            }
            let own = try device.select(rows, from: y)
            try change(own, try device.select(rows, from: x))
            y.replaceRows(rows, with: own)
        }
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

    /// What adapters add to a linear layer's y, in each row by the row's own adapter. Other rows are not touched; and since a
    /// matrix product's row does not depend on the rows beside it, neither does what is added.
    package func add(to y: Tensor, of x: Tensor, _ linear: Linear, on device: Device) throws(TensorError) {
        for group in groups {
            guard linear.number < group.adapter.updates.count, let update = group.adapter.updates[linear.number] else {
                continue
            }
            try group.change(y, x, on: device) { y, x throws(TensorError) in
                try update.add(to: y, of: x, weight: linear.weight, on: device)
            }
        }
    }

    /// What adapters do to the embeddings x of `ids`.
    func embed(_ ids: [Int32], into x: Tensor, on device: Device) throws(TensorError) {
        for group in groups {
            guard let update = group.adapter.embedding else { continue }
            let own = group.rows.map { ids[$0] }
            try group.change(x, x, on: device) { x, _ throws(TensorError) in
                try update.apply(to: x, ids: own, on: device)
            }
        }
    }

    /// What adapters do to the logits y of x.
    func head(_ head: PackedMatrix, of x: Tensor, into y: Tensor, on device: Device) throws(TensorError) {
        for group in groups {
            guard let update = group.adapter.head else { continue }
            try group.change(y, x, on: device) { y, x throws(TensorError) in
                try update.apply(to: y, of: x, head: head, on: device)
            }
        }
    }
}

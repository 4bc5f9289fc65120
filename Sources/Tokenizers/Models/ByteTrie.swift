/// Keys of bytes, each with a number, for finding those that begin at a place of a text: 9 bytes a node.
///
/// Nodes are numbered breadth-first, so that the children of one are neighbours, in the order of their bytes.
struct ByteTrie: Sendable {
    /// The byte that leads to a node.
    private var labels: [UInt8] = [0]
    /// Where a node's children begin; they end where those of the next begin.
    private var children: [Int32] = []
    /// What the key that ends at a node stands for; −1 where none does.
    private var values: [Int32] = [-1]

    static let root: Int32 = 0

    /// - Parameter keys: of keys that are equal the last one counts.
    init(_ keys: some Sequence<(key: [UInt8], value: Int32)>) {
        var sorted = Array(keys)
        sorted.sort { $0.key.lexicographicallyPrecedes($1.key) }
        // The keys that begin with what leads to a node, by node.
        var ranges = [0..<sorted.count]
        var depth = 0
        var level = 0..<1
        while !level.isEmpty {
            for node in level {
                children.append(Int32(labels.count))
                var rest = ranges[node]
                while let first = rest.first, sorted[first].key.count == depth {
                    values[node] = sorted[first].value
                    rest.removeFirst()
                }
                while let first = rest.first {
                    let byte = sorted[first].key[depth]
                    var end = first + 1
                    while end < rest.upperBound, sorted[end].key[depth] == byte { end += 1 }
                    labels.append(byte)
                    values.append(-1)
                    ranges.append(first..<end)
                    rest = end..<rest.upperBound
                }
            }
            level = level.upperBound..<labels.count
            depth += 1
        }
        children.append(Int32(labels.count))
    }

    /// The node that a byte leads to, or nil where no key goes on with it.
    func child(of node: Int32, _ byte: UInt8) -> Int32? {
        var (low, high) = (Int(children[Int(node)]), Int(children[Int(node) + 1]))
        while low < high {
            let middle = (low + high) / 2
            let label = labels[middle]
            if label == byte { return Int32(middle) }
            if label < byte { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    /// What the key that leads to a node stands for.
    func value(at node: Int32) -> Int32? {
        let value = values[Int(node)]
        return value < 0 ? nil : value
    }

    /// The node that `bytes` lead to.
    func node(after bytes: [UInt8]) -> Int32? {
        var node = Self.root
        for byte in bytes {
            guard let next = child(of: node, byte) else { return nil }
            node = next
        }
        return node
    }

    /// The longest key that begins at `start`, behind what has led to `node`.
    func longestMatch(in bytes: [UInt8], from start: Int, at node: Int32 = root) -> (value: Int32, end: Int)? {
        var node = node
        var found: (Int32, Int)?
        var position = start
        while position < bytes.count, let next = child(of: node, bytes[position]) {
            node = next
            position += 1
            if let value = value(at: node) { found = (value, position) }
        }
        return found
    }
}

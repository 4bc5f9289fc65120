/// Byte strings as a tree, its nodes in the order in which a walk meets them: what follows a node stands right behind it, and
/// what does not at its end.
struct TokenTrie: Sendable {
    /// What stands at a node: a token's number, and how many scalars stand before the part that is in the tree.
    struct Entry: Sendable {
        var id: Int32
        var scalars: Int32
    }

    /// By node.
    private(set) var bytes: [UInt8] = []
    private(set) var depths: [Int32] = []
    /// The first node that does not stand below it.
    private(set) var ends: [Int32] = []
    private(set) var firstEntries: [Int32] = [0]
    private(set) var entries: [Entry] = []
    /// Those of the empty string.
    private(set) var rootEntries: [Entry] = []
    private(set) var maxDepth = 0
    /// By byte, where strings begin that begin with it; −1 where none do.
    private(set) var starts = [Int32](repeating: -1, count: 256)

    init(_ strings: [(bytes: [UInt8], entry: Entry)]) {
        let order = strings.indices.sorted { strings[$0].bytes.lexicographicallyPrecedes(strings[$1].bytes) }
        var open: [Int] = []
        var path: [UInt8] = []
        for index in order {
            let (string, entry) = strings[index]
            if string.isEmpty {
                rootEntries.append(entry)
                continue
            }
            let shared = zip(path, string).prefix { $0 == $1 }.count
            while open.count > shared { ends[open.removeLast()] = Int32(bytes.count) }
            for byte in string[shared...] {
                if open.isEmpty { starts[Int(byte)] = Int32(bytes.count) }
                open.append(bytes.count)
                bytes.append(byte)
                depths.append(Int32(open.count - 1))
                ends.append(0)
                firstEntries.append(Int32(entries.count))
            }
            entries.append(entry)
            firstEntries[bytes.count] = Int32(entries.count)
            path = string
            maxDepth = max(maxDepth, string.count)
        }
        while let node = open.popLast() { ends[node] = Int32(bytes.count) }
    }

    /// A text as tokens, each the longest that there is; up to where none fits.
    func longest(of text: [UInt8], limit: Int) -> [Int32] {
        var ids: [Int32] = []
        var place = 0
        while place < text.count, ids.count < limit {
            var found: (id: Int32, end: Int)?
            var node = Int(starts[Int(text[place])])
            var next = place + 1
            while node >= 0 {
                if let entry = entries(at: node).first { found = (entry.id, next) }
                guard next < text.count, let child = child(of: node, text[next]) else { break }
                (node, next) = (child, next + 1)
            }
            guard let found else { break }
            ids.append(found.id)
            place = found.end
        }
        return ids
    }

    private func child(of node: Int, _ byte: UInt8) -> Int? {
        var child = node + 1
        while child < Int(ends[node]) {
            if bytes[child] == byte { return child }
            child = Int(ends[child])
        }
        return nil
    }

    var count: Int { bytes.count }

    func entries(at node: Int) -> ArraySlice<Entry> { entries[Int(firstEntries[node])..<Int(firstEntries[node + 1])] }
}

/// The tree of the phrases' beginnings, from which the automaton's table is made.
struct PhraseTrie {
    private struct Node {
        var children: [(symbol: UInt8, node: Int)] = []
        var phrases: [UInt32] = []
        var depth: UInt8 = 0
        var units: UInt8 = 0
        var last: UInt8?
        /// Whether a text that goes on like this may hold something from here on.
        var begins = false
    }

    struct Table {
        var next: [UInt16]
        var units: [UInt8]
        var openUnits: [UInt8]
        var depths: [UInt8]
        var outputStarts: [UInt32]
        var outputs: [UInt32]
    }

    private var nodes = [Node()]

    /// - Throws: `FilterError` when the lists are too long for the table.
    ///
    /// - Parameter begins: false for what counts only behind something else.
    mutating func insert(_ symbols: [UInt8], phrase: UInt32, begins: Bool) throws {
        var node = 0
        var hanHalf = false
        for symbol in symbols {
            let isHan = symbol > PhraseAlphabet.otherLetter
            let isLetter = symbol != PhraseAlphabet.edge && !isHan
            let last = nodes[node].last
            let beginsUnit = isHan ? !hanHalf : isLetter && (last == nil || last == PhraseAlphabet.edge)
            hanHalf = isHan && !hanHalf
            if let child = nodes[node].children.first(where: { $0.symbol == symbol }) {
                node = child.node
                if begins { nodes[node].begins = true }
                continue
            }
            guard nodes.count < Int(UInt16.max) else { throw FilterError("the lists are too long: 65,535 states") }
            nodes[node].children.append((symbol, nodes.count))
            nodes.append(
                Node(
                    depth: nodes[node].depth + 1, units: nodes[node].units + (beginsUnit ? 1 : 0), last: symbol,
                    begins: begins))
            node = nodes.count - 1
        }
        nodes[node].phrases.append(phrase)
    }

    /// Completes the tree with the transitions of failure.
    func table() -> Table {
        let width = PhraseAutomaton.symbolCount
        var next = [UInt16](repeating: 0, count: nodes.count * width)
        var outputs = nodes.map(\.phrases)
        var failure = [Int](repeating: 0, count: nodes.count)
        var openUnits = nodes.map(\.units)
        var queue = [0]
        var head = 0
        while head < queue.count {
            let node = queue[head]
            head += 1
            if node > 0 {
                outputs[node] += outputs[failure[node]]
                if !nodes[node].begins { openUnits[node] = openUnits[failure[node]] }
                for symbol in 0..<width { next[node * width + symbol] = next[failure[node] * width + symbol] }
            }
            for (symbol, child) in nodes[node].children {
                failure[child] = node == 0 ? 0 : Int(next[node * width + Int(symbol)])
                next[node * width + Int(symbol)] = UInt16(child)
                queue.append(child)
            }
        }
        var starts: [UInt32] = [0]
        for list in outputs { starts.append(starts[starts.count - 1] + UInt32(list.count)) }
        return Table(
            next: next, units: nodes.map(\.units), openUnits: openUnits, depths: nodes.map(\.depth),
            outputStarts: starts,
            outputs: Array(outputs.joined()))
    }
}

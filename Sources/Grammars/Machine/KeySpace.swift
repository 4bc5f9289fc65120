/// The names of members that some alternatives of an object know, read letter by letter; and what each is to each of them.
///
/// A class, so that steps hand it on without counting references to all that it holds.
final class KeySpace {
    /// What a name is to one alternative.
    enum Meaning: Hashable {
        case declared(Int)
        /// By the patterns that it matches.
        case undeclared(UInt64)
    }

    private struct Node {
        var children: [(scalar: UInt32, node: Int32)] = []
        var parent: Int32
        /// The number of the name that ends here; −1 for none.
        var name: Int32 = -1
    }

    private let nodes: [Node]
    /// By name, the node at which it ends.
    let ends: [Int32]
    let classifier: LabelledAutomaton
    /// The labels there are, in the order of their numbers; and by the classifier's state, those that a name that goes on from
    /// there may have, a bit each.
    let labels: [UInt64]
    let reachable: [UInt64]
    /// By key, then by alternative. Keys are numbers of names, then of labels.
    let meanings: [[Meaning]]

    var nameCount: Int { ends.count }
    var nodeCount: Int { nodes.count }

    init(_ plans: [Int], in table: FormulaTable) throws(GrammarError) {
        var patterns: [Int] = []
        for plan in plans {
            for pattern in table.objectPlans[plan].patterns where !patterns.contains(pattern) {
                patterns.append(pattern)
            }
        }
        guard patterns.count < 63 else { throw GrammarError(.tooComplex, "more than 62 patterns of names") }
        classifier = try table.classifier(patterns)
        var labels: [UInt64] = []
        for label in classifier.labels where !labels.contains(label) { labels.append(label) }
        guard labels.count <= 64 else { throw GrammarError(.tooComplex, "patterns of names cut more than 64 classes") }
        self.labels = labels
        reachable = Self.spread(
            classifier.labels.map { label in labels.firstIndex(of: label).map { 1 << UInt64($0) } ?? 0 },
            over: classifier)
        var nodes = [Node(parent: -1)], ends: [Int32] = [], meanings: [[Meaning]] = []
        var seen = Set<[Unicode.Scalar]>()
        for plan in plans {
            for member in table.objectPlans[plan].members where seen.insert(member.name).inserted {
                ends.append(Self.add(member.name, number: ends.count, to: &nodes))
                meanings.append(Self.meanings(of: member.name, plans, table))
            }
        }
        for label in labels {
            meanings.append(
                plans.map { plan in .undeclared(Self.translated(label, patterns, table.objectPlans[plan].patterns)) })
        }
        (self.nodes, self.ends, self.meanings) = (nodes, ends, meanings)
    }

    /// Bits of one list of patterns as those of another.
    private static func translated(_ label: UInt64, _ patterns: [Int], _ own: [Int]) -> UInt64 {
        var result = ObjectPlan.anyBit
        for (bit, pattern) in patterns.enumerated() where label & 1 << UInt64(bit) != 0 {
            if let index = own.firstIndex(of: pattern) { result |= 1 << UInt64(index) }
        }
        return result
    }

    /// - Returns: the node at which the name ends.
    private static func add(_ name: [Unicode.Scalar], number: Int, to nodes: inout [Node]) -> Int32 {
        var node: Int32 = 0
        for scalar in name {
            let next = child(of: nodes[Int(node)], scalar.value)
            if next >= 0 {
                node = next
            } else {
                let number = Int32(nodes.count)
                nodes.append(Node(parent: node))
                let place = nodes[Int(node)].children.firstIndex { $0.scalar > scalar.value }
                nodes[Int(node)].children.insert(
                    (scalar.value, number), at: place ?? nodes[Int(node)].children.count)
                node = number
            }
        }
        nodes[Int(node)].name = Int32(number)
        return node
    }

    private static func meanings(
        of name: [Unicode.Scalar], _ plans: [Int], _ table: FormulaTable
    ) -> [Meaning] {
        plans.map { plan in
            let own = table.objectPlans[plan]
            if let index = own.places[name] { return .declared(index) }
            var label = ObjectPlan.anyBit
            for (index, pattern) in own.patterns.enumerated() where table.automata[pattern].accepts(name) {
                label |= 1 << UInt64(index)
            }
            return .undeclared(label)
        }
    }

    private static func spread(_ labels: [UInt64], over classifier: LabelledAutomaton) -> [UInt64] {
        var reachable = labels
        let automaton = classifier.automaton
        var isChanged = true
        while isChanged {
            isChanged = false
            for state in reachable.indices.reversed() {
                var all = reachable[state]
                for edge in automaton.edges(of: Int32(state)) { all |= reachable[Int(edge.target)] }
                if all != reachable[state] {
                    reachable[state] = all
                    isChanged = true
                }
            }
        }
        return reachable
    }

    func child(_ node: Int32, _ scalar: UInt32) -> Int32 { Self.child(of: nodes[Int(node)], scalar) }

    private static func child(of node: Node, _ scalar: UInt32) -> Int32 {
        let children = node.children
        if children.count <= 8 { return children.first { $0.scalar == scalar }?.node ?? -1 }
        var (low, high) = (0, children.count)
        while low < high {
            let middle = (low + high) / 2
            if children[middle].scalar < scalar { low = middle + 1 } else { high = middle }
        }
        return low < children.count && children[low].scalar == scalar ? children[low].node : -1
    }

    /// The first bytes of the UTF-8 of all marked children, each once.
    func firstBytes(behind node: Int32, in marks: [Bool]) -> [UInt8] {
        var bytes: [UInt8] = []
        // Children are in order, and so are their first bytes.
        for child in nodes[Int(node)].children where marks[Int(child.node)] {
            guard let first = Unicode.Scalar(child.scalar).map({ UTF8.encode($0) })??.first else { continue }
            if bytes.last != first { bytes.append(first) }
        }
        return bytes
    }

    /// Whether a child by a scalar of a range is among those marked.
    func hasChild(_ node: Int32, _ range: ClosedRange<UInt32>, in marks: [Bool]) -> Bool {
        nodes[Int(node)].children.contains { range.contains($0.scalar) && marks[Int($0.node)] }
    }

    func name(at node: Int32) -> Int { Int(nodes[Int(node)].name) }

    /// The nodes on the way to some names.
    func marks(_ names: some Sequence<Int>) -> [Bool] {
        var marks = [Bool](repeating: false, count: nodes.count)
        for name in names {
            var node = ends[name]
            while node >= 0, !marks[Int(node)] {
                marks[Int(node)] = true
                node = nodes[Int(node)].parent
            }
        }
        return marks
    }
}

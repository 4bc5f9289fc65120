import HeapModule
import Tensors

/// The pages of a key-value cache: who holds them, and which are kept because a later prompt may begin like an earlier
/// one.
///
/// Full pages stand in a radix tree with a page of tokens an edge, so that a page's path from the root spells
/// everything its keys and values depend on. Pages that no sequence holds stay until their memory is needed: the one
/// unused for longest goes first, leaves before what they stand on.
package struct PageCache: Sendable {
    /// A page in the tree. Whoever has one has its ancestors too.
    package typealias Node = Int

    private struct Entry {
        var page: Int32
        var tokens: [Int32]
        var parent: Node?
        var root: String
        var children: [[Int32]: Node] = [:]
        /// Where the state of recurrent layers after the page's last token is.
        var checkpoint: Int?
        /// Sequences that hold the page.
        var users = 0
        var lastUse: UInt64 = 0
    }

    /// A leaf that nobody held when it was noted. It may have changed since: `lastUse` tells.
    private struct Leaf: Comparable {
        var lastUse: UInt64
        var node: Node

        static func < (left: Leaf, right: Leaf) -> Bool {
            (left.lastUse, left.node) < (right.lastUse, right.node)
        }
    }

    package let capacity: Int
    private var free: [Int32]
    private var entries: [Entry?] = []
    private var spareNodes: [Node] = []
    /// The first pages of each root: an adapter's content and a tenant's salt never share pages with another's.
    private var roots: [String: [[Int32]: Node]] = [:]
    private var leaves = Heap<Leaf>()
    private var clock: UInt64 = 0
    /// Pages in the tree that no sequence holds. (A held page's ancestors are held, so all of these can be taken.)
    private var unused = 0
    /// The states of a model with recurrent layers, for which a prefix is of use where its state is known.
    var states: StateSlots?

    package init(pageCount: Int) { self.init(pageCount: pageCount, states: nil) }

    init(pageCount: Int, states: StateSlots?) {
        (capacity, self.states) = (pageCount, states)
        free = (0..<Int32(pageCount)).reversed()
    }

    package static func pages(for positions: Int) -> Int {
        (positions + KVStorage.pagePositions - 1) / KVStorage.pagePositions
    }

    /// Pages that `allocate` can give.
    package var available: Int { free.count + unused }

    /// Pages kept for prompts to come.
    package var kept: Int { unused }

    // MARK: Pages of one sequence

    /// A page for a sequence of its own, or nil when all are held.
    package mutating func allocate() -> Int32? {
        if let page = free.popLast() { return page }
        while let leaf = leaves.popMin() {
            guard let entry = entries[leaf.node], entry.users == 0, entry.children.isEmpty,
                entry.lastUse == leaf.lastUse
            else { continue }
            remove(leaf.node, entry)
            return entry.page
        }
        return nil
    }

    /// Gives a sequence's own page back.
    package mutating func release(page: Int32) { free.append(page) }

    // MARK: The tree

    /// Pages that hold the first tokens of a sequence, which has them now.
    package struct Match: Sendable {
        package var pages: [(node: Node, page: Int32)] = []
        /// The state after them, for one reader; of a model with recurrent layers, unless there are none.
        var checkpoint: Int?
        /// Pages that have the same tokens, more than `pages` where states are missing.
        var equal = 0
    }

    /// Takes the pages that hold the first of `tokens`, `limit` pages at most, as far as a state is known too, where
    /// states are wanted.
    package mutating func match(_ tokens: [Int32], root: String, limit: Int) -> Match {
        var found = Match()
        var level = roots[root] ?? [:]
        while found.pages.count < limit {
            let start = found.pages.count * KVStorage.pagePositions
            guard start + KVStorage.pagePositions <= tokens.count,
                let node = level[Array(tokens[start..<start + KVStorage.pagePositions])], let entry = entries[node]
            else { break }
            found.pages.append((node, entry.page))
            level = entry.children
        }
        found.equal = found.pages.count
        if states != nil {
            (found.checkpoint, found.pages) = lastCheckpoint(of: found.pages)
            if let slot = found.checkpoint { states?.hold(slot) }
        }
        for (node, _) in found.pages { hold(node) }
        return found
    }

    private func lastCheckpoint(of pages: [(node: Node, page: Int32)]) -> (Int?, [(node: Node, page: Int32)]) {
        guard let last = pages.lastIndex(where: { entries[$0.node]?.checkpoint != nil }) else { return (nil, []) }
        return (entries[pages[last].node]?.checkpoint, Array(pages[...last]))
    }

    // MARK: Checkpoints

    /// The last of some pages, one after the other in the tree, at whose end a state is known: for one reader.
    mutating func lastCheckpoint(of nodes: [Node]) -> (slot: Int, pages: Int)? {
        guard let last = nodes.lastIndex(where: { entries[$0]?.checkpoint != nil }),
            let slot = entries[nodes[last]]?.checkpoint
        else { return nil }
        states?.hold(slot)
        return (slot, last + 1)
    }

    /// A slot for a checkpoint; nil when all are about to be read.
    mutating func takeCheckpoint() -> Int? {
        guard let (slot, node) = states?.takeCheckpoint() else { return nil }
        if let node { entries[node]?.checkpoint = nil }
        return slot
    }

    /// Puts a checkpoint at the end of a page.
    ///
    /// - Returns: whether it is there; it is free where the page has one already.
    mutating func put(checkpoint slot: Int, at node: Node) -> Bool {
        guard entries[node] != nil, entries[node]?.checkpoint == nil else {
            states?.release(checkpoint: slot)
            return false
        }
        entries[node]?.checkpoint = slot
        states?.put(slot, at: node)
        return true
    }

    /// Frees the checkpoint at the end of a page, unless somebody is about to read it.
    mutating func dropCheckpoint(at node: Node) {
        guard let slot = entries[node]?.checkpoint, states?.isIdle(slot) == true else { return }
        entries[node]?.checkpoint = nil
        states?.release(checkpoint: slot)
    }

    /// Puts a sequence's full page into the tree, after `parent`, and holds it for the sequence.
    ///
    /// - Returns: its place, and the page there: another one when an equal prefix came before, and `page` is free then.
    package mutating func insert(
        page: Int32, tokens: [Int32], after parent: Node?, root: String
    ) -> (node: Node, page: Int32) {
        precondition(tokens.count == KVStorage.pagePositions, "\(tokens.count) tokens are not a page")
        let siblings = parent.map { entries[$0]?.children ?? [:] } ?? roots[root] ?? [:]
        if let node = siblings[tokens], let present = entries[node]?.page {
            hold(node)
            release(page: page)
            return (node, present)
        }
        let entry = Entry(page: page, tokens: tokens, parent: parent, root: root, users: 1)
        let node: Node
        if let spare = spareNodes.popLast() {
            node = spare
            entries[node] = entry
        } else {
            node = entries.count
            entries.append(entry)
        }
        if let parent { entries[parent]?.children[tokens] = node } else { roots[root, default: [:]][tokens] = node }
        return (node, page)
    }

    private mutating func hold(_ node: Node) {
        if entries[node]?.users == 0 { unused -= 1 }
        entries[node]?.users += 1
    }

    /// Lets go of pages that a sequence held, given from the first to the last.
    package mutating func release(_ nodes: [Node]) {
        clock += 1
        for node in nodes.reversed() {
            entries[node]?.users -= 1
            guard let entry = entries[node], entry.users == 0 else { continue }
            unused += 1
            entries[node]?.lastUse = clock
            if entry.children.isEmpty { note(node) }
        }
    }

    private mutating func note(_ node: Node) {
        guard let entry = entries[node] else { return }
        // What is noted twice is out of date but for once; it must not pile up.
        if leaves.count > 4 * capacity + 64 { rebuildLeaves() }
        leaves.insert(Leaf(lastUse: entry.lastUse, node: node))
    }

    private mutating func rebuildLeaves() {
        leaves = Heap(
            entries.indices.compactMap { node in
                guard let entry = entries[node], entry.users == 0, entry.children.isEmpty else { return nil }
                return Leaf(lastUse: entry.lastUse, node: node)
            })
    }

    private mutating func remove(_ node: Node, _ entry: Entry) {
        if let slot = entry.checkpoint { states?.release(checkpoint: slot) }
        entries[node] = nil
        spareNodes.append(node)
        unused -= 1
        guard let parent = entry.parent else {
            roots[entry.root]?[entry.tokens] = nil
            if roots[entry.root]?.isEmpty == true { roots[entry.root] = nil }
            return
        }
        entries[parent]?.children[entry.tokens] = nil
        if let above = entries[parent], above.users == 0, above.children.isEmpty { note(parent) }
    }
}

import Tensors
import Testing
import TextGeneration
import TextModels

@Suite struct PageCacheTests {
    private let size = KVStorage.pagePositions

    private func page(_ first: Int32) -> [Int32] { (0..<Int32(size)).map { first * 100 + $0 } }

    /// Puts pages of the given contents into the tree, one after the other.
    private func put(_ contents: [Int32], root: String = "", in cache: inout PageCache) throws -> [PageCache.Node] {
        var nodes: [PageCache.Node] = []
        for content in contents {
            let own = cache.allocate()
            nodes.append(
                cache.insert(page: try #require(own), tokens: page(content), after: nodes.last, root: root).node)
        }
        return nodes
    }

    @Test func `pages are found again by the tokens that lead to them, and by nothing else`() throws {
        var cache = PageCache(pageCount: 8)
        let nodes = try put([1, 2, 3], in: &cache)
        #expect(cache.available == 5 && cache.kept == 0)
        cache.release(nodes)
        #expect(cache.available == 8 && cache.kept == 3)
        let prompt = page(1) + page(2) + page(4)
        #expect(cache.match(prompt, root: "", limit: 9).pages.map(\.node) == Array(nodes[..<2]))
        #expect(cache.available == 6)
        #expect(cache.match(prompt, root: "", limit: 1).pages.count == 1)
        #expect(cache.match(prompt, root: "another adapter", limit: 9).pages.isEmpty)
        #expect(cache.match(page(2), root: "", limit: 9).pages.isEmpty)
        #expect(cache.match(Array(page(1).dropLast()), root: "", limit: 9).pages.isEmpty)
    }

    @Test func `an equal page that came before takes the place of a sequence's own`() throws {
        var cache = PageCache(pageCount: 4)
        let first = try put([1], in: &cache)
        let allocated = cache.allocate()
        let own = try #require(allocated)
        let (node, shared) = cache.insert(page: own, tokens: page(1), after: nil, root: "")
        #expect(node == first[0] && shared != own)
        #expect(cache.available == 3)
        cache.release([node])
        #expect(cache.kept == 0)
        cache.release(first)
        #expect(cache.kept == 1)
    }

    @Test func `the page unused for longest goes first, and never one that another stands on`() throws {
        var cache = PageCache(pageCount: 4)
        let chain = try put([1, 2], in: &cache)
        let other = try put([7, 8], in: &cache)
        cache.release(chain)
        cache.release(other)
        // The chain is used once more: the other's leaf goes, then its root, then the chain's leaf.
        cache.release(cache.match(page(1) + page(2), root: "", limit: 2).pages.map(\.node))
        _ = cache.allocate()
        #expect(cache.match(page(7) + page(8), root: "", limit: 2).pages.count == 1)
        cache.release([other[0]])
        cache.release(cache.match(page(1) + page(2), root: "", limit: 2).pages.map(\.node))
        _ = cache.allocate()
        #expect(cache.match(page(7), root: "", limit: 1).pages.isEmpty)
        _ = cache.allocate()
        #expect(cache.match(page(1) + page(2), root: "", limit: 2).pages.map(\.node) == [chain[0]])
        #expect(cache.available == 0 && cache.allocate() == nil)
    }

    @Test func `every page is somewhere, whatever was done`() throws {
        var random = SplitMix(state: 5)
        var cache = PageCache(pageCount: 24)
        var held: [(nodes: [PageCache.Node], own: [Int32])] = []
        for _ in 0..<20_000 {
            if Int.random(in: 0..<3, using: &random) > 0, held.count < 6 {
                let contents = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    Int32.random(in: 0..<3, using: &random)
                }
                let tokens = contents.flatMap(page)
                var nodes = cache.match(tokens, root: "", limit: contents.count).pages.map(\.node)
                var own: [Int32] = []
                while nodes.count < contents.count, let new = cache.allocate() {
                    guard Bool.random(using: &random) else {
                        own.append(new)
                        break
                    }
                    let content = page(contents[nodes.count])
                    nodes.append(cache.insert(page: new, tokens: content, after: nodes.last, root: "").node)
                }
                held.append((nodes, own))
            } else if !held.isEmpty {
                let one = held.remove(at: Int.random(in: 0..<held.count, using: &random))
                one.own.forEach { cache.release(page: $0) }
                cache.release(one.nodes)
            }
            let inUse = Set(held.flatMap(\.nodes)).count + held.reduce(0) { $0 + $1.own.count }
            #expect(cache.available == 24 - inUse)
        }
        for one in held {
            one.own.forEach { cache.release(page: $0) }
            cache.release(one.nodes)
        }
        var all: Set<Int32> = []
        while let page = cache.allocate() { all.insert(page) }
        #expect(all.count == 24)
    }
}

/// Sebastiano Vigna's SplitMix64: the same numbers everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

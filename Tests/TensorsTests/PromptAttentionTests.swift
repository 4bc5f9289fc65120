import Testing

@testable import Tensors

/// Rows of one prompt attend together: keys and values are read and widened once for several query heads.
@Suite struct PromptAttentionTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)

    private struct Case {
        var window = 0
        var softCap: Float = 0
        var hasSinks = false
    }

    @Test(arguments: [16, 40, 64, 128, 256, 272], CachePrecision.allCases)
    func `rows that attend together have the bits of each alone`(headDim: Int, precision: CachePrecision) throws {
        let (heads, kvHeads, rows) = (6, 2, 21)
        // Across the border of two spans of 512 positions, and shortly behind a text's beginning.
        let starts = [500, 3]
        for known in [Case(), Case(window: 37), Case(window: 7, softCap: 5), Case(hasSinks: true)] {
            var alone: [UInt32] = []
            for (index, device) in ([scalar] + devices).enumerated() {
                let count = starts.map { $0 + rows }.reduce(0, +)
                let cache = try KVStorage(
                    pageCount: 40, layers: [KVExtents(heads: kvHeads, headDim: headDim)], precision: precision)
                let q = try Tensor(
                    hostile(count * heads * headDim, seed: 21, special: false), shape: [count, heads * headDim])
                let k = try Tensor(
                    hostile(count * kvHeads * headDim, seed: 22, special: false), shape: [count, kvHeads * headDim])
                let v = try Tensor(
                    hostile(count * kvHeads * headDim, seed: 23, special: false), shape: [count, kvHeads * headDim])
                let sinks = try Tensor(hostile(heads, seed: 24, special: false), shape: [heads])
                let pages = [(0..<20).reversed().map { Int32($0) }, (20..<40).map { Int32($0) }]
                var (early, prompts) = (AttentionRows(), AttentionRows())
                var prompted: [Int] = []
                for (text, start) in starts.enumerated() {
                    let first = early.count
                    early.append(positions: 0..<start + rows, pages: pages[text])
                    prompts.append(positions: start..<start + rows, pages: pages[text])
                    prompted += first + start..<first + start + rows
                }
                let fill = try Tensor(zeros: q.shape)
                device.attention(
                    queries: q, keys: k, values: v, rows: early, cache: cache, layer: 0, scale: 0.25, window: 1,
                    into: fill)
                let asked = try device.select(prompted, from: q)
                let y = try Tensor(zeros: asked.shape)
                func attend(_ queries: Tensor, _ rows: AttentionRows, into y: Tensor) {
                    device.attention(
                        queries: queries, keys: nil, values: nil, rows: rows, cache: cache, layer: 0, scale: 0.25,
                        window: known.window, softCap: known.softCap, sinks: known.hasSinks ? sinks : nil, into: y)
                }
                if index == 0 {
                    // One row at a time.
                    for row in 0..<asked.rowCount {
                        var single = AttentionRows()
                        let position = starts[row / rows] + row % rows
                        single.append(positions: position..<position + 1, pages: pages[row / rows])
                        attend(asked.rows(row..<row + 1), single, into: y.rows(row..<row + 1))
                    }
                    alone = bits(y)
                } else {
                    attend(asked, prompts, into: y)
                    #expect(bits(y) == alone, "\(device.instructionSet) \(known)")
                }
            }
        }
    }
}

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
        let count = starts.map { $0 + rows }.reduce(0, +)
        let width = kvHeads * headDim
        let k = try Tensor(hostile(count * width, seed: 22, special: false), shape: [count, width])
        let v = try Tensor(k.floats.reversed(), shape: [count, width])
        let asked = try Tensor(
            hostile(2 * rows * heads * headDim, seed: 21, special: false), shape: [2 * rows, heads * headDim])
        let sinks = try Tensor(hostile(heads, seed: 24, special: false), shape: [heads])
        let pages = [(0..<20).reversed().map { Int32($0) }, (20..<40).map { Int32($0) }]
        var (early, prompts) = (AttentionRows(), AttentionRows())
        for (text, start) in starts.enumerated() {
            early.append(positions: 0..<start + rows, pages: pages[text])
            prompts.append(positions: start..<start + rows, pages: pages[text])
        }
        let cases = [Case(), Case(window: 37), Case(window: 7, softCap: 5), Case(hasSinks: true)]
        var alone: [[UInt32]] = []
        for device in [scalar] + devices {
            let cache = try KVStorage(
                pageCount: 40, layers: [KVExtents(heads: kvHeads, headDim: headDim)], precision: precision)
            device.attention(
                queries: try Tensor(zeros: [count, heads * headDim]), keys: k, values: v, rows: early, cache: cache,
                layer: 0, scale: 0.25, window: 1, into: try Tensor(zeros: [count, heads * headDim]))
            var attended: [[UInt32]] = []
            for known in cases {
                let y = try Tensor(zeros: asked.shape)
                func attend(_ queries: Tensor, _ rows: AttentionRows, into y: Tensor) {
                    device.attention(
                        queries: queries, keys: nil, values: nil, rows: rows, cache: cache, layer: 0, scale: 0.25,
                        window: known.window, softCap: known.softCap, sinks: known.hasSinks ? sinks : nil, into: y)
                }
                if alone.isEmpty {
                    for row in 0..<asked.rowCount {
                        var single = AttentionRows()
                        let position = starts[row / rows] + row % rows
                        single.append(positions: position..<position + 1, pages: pages[row / rows])
                        attend(asked.rows(row..<row + 1), single, into: y.rows(row..<row + 1))
                    }
                } else {
                    attend(asked, prompts, into: y)
                }
                attended.append(bits(y))
            }
            if alone.isEmpty { alone = attended }
            for (index, known) in cases.enumerated() {
                #expect(attended[index] == alone[index], "\(device.instructionSet) \(known)")
            }
        }
    }
}

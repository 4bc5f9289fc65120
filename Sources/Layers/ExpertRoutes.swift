import Tensors

/// How a router's scores choose experts, and what they weigh.
package struct ExpertRouting: Sendable {
    /// k, how many experts each row goes through.
    package var chosen: Int
    /// Whether the weights of a row's experts are made to sum to 1, rather than those of all experts.
    package var normalizes = true
    /// Whether an expert's weight is the sigmoid of its score, rather than its part of the softmax.
    package var isSigmoid = false
    /// Experts are chosen from so many of these equal groups, by the sum of the so many best of each.
    package var groups = 1
    package var chosenGroups = 1
    package var groupBest = 1
    /// What weights are multiplied by in the end.
    package var scale: Float = 1

    package init(chosen: Int) { self.chosen = chosen }
}

/// Which rows go through which experts, the rows of an expert one after another.
struct ExpertRoutes {
    /// The row at each place, `[R·k]`.
    private(set) var rows: [Int] = []
    /// The places of each expert that has any, by its number.
    private(set) var spans: [(expert: Int, rows: Range<Int>)] = []
    /// The places of each row, in the order of its experts' numbers, and their weights: `[R, k]`.
    private(set) var places: [Int32]
    private(set) var weights: [Float]

    /// The numbers of the `count` largest scores, the largest first.
    private static func best(_ count: Int, of scores: ArraySlice<Float>) -> [Int] {
        var best: [(expert: Int, score: Float)] = []
        for (expert, score) in scores.enumerated() {
            // NaN is the least.
            let score = score.isNaN ? -.infinity : score
            if best.count == count, let last = best.last, score <= last.score { continue }
            let place = best.firstIndex { $0.score < score } ?? best.count
            best.insert((expert, score), at: place)
            if best.count > count { best.removeLast() }
        }
        return best.map(\.expert)
    }

    /// - Parameters:
    ///   - scores: `[R, E]`, as the router gives them. Of equal ones the first counts.
    ///   - correction: added to the weights, `[E]`, when the best are chosen.
    ///   - weightScales: what the weights are multiplied by in the end, `[E]`.
    init(scores: Tensor, _ routing: ExpertRouting, correction: [Float]? = nil, weightScales: [Float]? = nil) {
        let (rowCount, experts, values, k) = (scores.rowCount, scores.width, scores.floats, routing.chosen)
        places = Array(repeating: 0, count: rowCount * k)
        weights = Array(repeating: 0, count: rowCount * k)
        var members: [[(row: Int, place: Int)]] = Array(repeating: [], count: experts)
        for row in 0..<rowCount {
            let own = Array(values[row * experts..<(row + 1) * experts])
            let (chosen, parts) = Self.choose(own, routing, correction)
            for (index, (expert, part)) in zip(chosen, parts).enumerated() {
                weights[row * k + index] = weightScales.map { part * $0[expert] } ?? part
                members[expert].append((row, row * k + index))
            }
        }
        rows.reserveCapacity(rowCount * k)
        for (expert, list) in members.enumerated() where !list.isEmpty {
            spans.append((expert, rows.count..<rows.count + list.count))
            for member in list {
                places[member.place] = Int32(rows.count)
                rows.append(member.row)
            }
        }
    }

    /// A row's experts, by number, and their weights.
    private static func choose(
        _ scores: [Float], _ routing: ExpertRouting, _ correction: [Float]?
    ) -> (experts: [Int], weights: [Float]) {
        let shares = routing.isSigmoid ? scores.map { 1 / (1 + Device.exp(-$0)) } : scores
        var choice = correction.map { zip(shares, $0).map(+) } ?? shares
        if routing.groups > 1 { keepBestGroups(&choice, routing) }
        let best = Self.best(routing.chosen, of: choice[...])
        let chosen = best.sorted()
        if routing.isSigmoid {
            let sum = routing.normalizes ? chosen.reduce(0) { $0 + shares[$1] } + 1e-20 : 1
            return (chosen, chosen.map { shares[$0] / sum * routing.scale })
        }
        let top = best.first.map { scores[$0] } ?? 0
        let shift = top.isFinite ? top : 0
        let parts = chosen.map { Device.exp(scores[$0] - shift) }
        let sum = routing.normalizes ? parts.reduce(0, +) : Device.sumExp(scores, shift: shift)
        return (chosen, parts.map { routing.scale == 1 ? $0 / sum : $0 / sum * routing.scale })
    }

    /// Leaves nothing of the experts outside of the best groups.
    private static func keepBestGroups(_ choice: inout [Float], _ routing: ExpertRouting) {
        let size = choice.count / routing.groups
        let groups = (0..<routing.groups).map { group in
            let own = choice[group * size..<(group + 1) * size]
            return best(routing.groupBest, of: own).reduce(0) { $0 + own[own.startIndex + $1] }
        }
        let kept = Set(best(routing.chosenGroups, of: groups[...]))
        for group in 0..<routing.groups where !kept.contains(group) {
            for expert in group * size..<(group + 1) * size { choice[expert] = -.infinity }
        }
    }
}

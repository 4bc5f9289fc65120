import Foundation
import Tensors
import Testing

@testable import Layers

@Suite struct MixtureOfExpertsTests {
    private static let (c, f, experts, chosen) = (6, 5, 4, 2)

    /// One way in which a file holds experts, all with the same weights.
    private func weights(_ layout: MixtureOfExperts.Layout, bias: Bool) throws -> MemoryWeights {
        let (c, f, experts) = (Self.c, Self.f, Self.experts)
        var own = MemoryWeights()
        for index in 0..<experts {
            try own.add("e.\(index).gate.weight", [f, c])
            try own.add("e.\(index).up.weight", [f, c])
            try own.add("e.\(index).down.weight", [c, f])
            for (part, count) in [("gate", f), ("up", f), ("down", c)] where bias {
                try own.add("e.\(index).\(part).bias", [count])
            }
        }
        try own.add("router.weight", [experts, c], scale: 2)
        if bias { try own.add("router.bias", [experts]) }
        func all(_ part: String, _ kind: String = "weight") -> [[Float]] {
            (0..<experts).map { own.tensors["e.\($0).\(part).\(kind)"]?.floats ?? [] }
        }
        func turned(_ matrix: [Float], _ rows: Int, _ columns: Int) -> [Float] {
            var out: [Float] = []
            for column in 0..<columns {
                for row in 0..<rows { out.append(matrix[row * columns + column]) }
            }
            return out
        }
        func alternating(_ a: [Float], _ b: [Float], width: Int) -> [Float] {
            var out: [Float] = []
            for start in stride(from: 0, to: a.count, by: width) {
                out += a[start..<start + width]
                out += b[start..<start + width]
            }
            return out
        }
        switch layout {
        case .apart: break
        case .joint:
            own.tensors["input"] = try Tensor(
                zip(all("gate"), all("up")).flatMap { $0 + $1 }, shape: [experts, 2 * f, c])
            own.tensors["output"] = try Tensor(all("down").flatMap { $0 }, shape: [experts, c, f])
        case .stacked:
            for (part, n, k) in [("gate", f, c), ("up", f, c), ("down", c, f)] {
                own.tensors["all.\(part).weight"] = try Tensor(all(part).flatMap { $0 }, shape: [experts, n, k])
                guard bias else { continue }
                own.tensors["all.\(part).bias"] = try Tensor(
                    all(part, "bias").flatMap { $0 }, shape: [experts, n])
            }
        case .alternating:
            let both = zip(all("gate"), all("up")).map { alternating($0, $1, width: c) }
            own.tensors["x.gate_up_proj"] = try Tensor(
                both.flatMap { turned($0, 2 * f, c) }, shape: [experts, c, 2 * f])
            own.tensors["x.down_proj"] = try Tensor(
                all("down").flatMap { turned($0, c, f) }, shape: [experts, f, c])
            own.tensors["x.gate_up_proj_bias"] = try Tensor(
                zip(all("gate", "bias"), all("up", "bias")).flatMap { alternating($0, $1, width: 1) },
                shape: [experts, 2 * f])
            own.tensors["x.down_proj_bias"] = try Tensor(all("down", "bias").flatMap { $0 }, shape: [experts, c])
        }
        return own
    }

    /// The formula in double precision, from the experts apart.
    private func reference(
        _ weights: MemoryWeights, _ x: [Float], bias: Bool, normalizes: Bool, limit: Double
    ) -> [Double] {
        let (c, f, experts) = (Self.c, Self.f, Self.experts)
        func product(_ name: String, _ row: [Double], _ outputs: Int) -> [Double] {
            let (matrix, bias) = (weights.numbers(name + ".weight"), bias ? weights.numbers(name + ".bias") : [])
            return (0..<outputs).map { n in
                row.indices.reduce(bias.isEmpty ? 0 : bias[n]) { $0 + matrix[n * row.count + $1] * row[$1] }
            }
        }
        return stride(from: 0, to: x.count, by: c).flatMap { start -> [Double] in
            let row = x[start..<start + c].map { Double($0) }
            let shares = product("router", row, experts).map { exp($0) }
            let best = shares.indices.sorted { shares[$0] > shares[$1] }.prefix(Self.chosen)
            let sum = normalizes ? best.reduce(0) { $0 + shares[$1] } : shares.reduce(0, +)
            var out = [Double](repeating: 0, count: c)
            for expert in best {
                let gate = product("e.\(expert).gate", row, f), up = product("e.\(expert).up", row, f)
                let inner = zip(gate, up).map { gate, up -> Double in
                    guard limit > 0 else { return gate / (1 + exp(-gate)) * up }
                    let gate = min(gate, limit)
                    return gate / (1 + exp(-1.702 * gate)) * (1 + min(max(up, -limit), limit))
                }
                for (i, value) in product("e.\(expert).down", inner, c).enumerated() {
                    out[i] += shares[expert] / sum * value
                }
            }
            return out
        }
    }

    static let layouts: [MixtureOfExperts.Layout] = [
        .apart(router: "router", experts: "e", gate: "gate", up: "up", down: "down"),
        .joint(router: "router", input: "input", output: "output"),
        .stacked(router: "router", gate: "all.gate", up: "all.up", down: "all.down"),
        .alternating(router: "router", experts: "x"),
    ]

    @Test(arguments: 0..<4, [true, false])
    func `a row's best experts are weighed and summed, however the file holds them`(
        number: Int, normalizes: Bool
    ) throws {
        let layout = Self.layouts[number], bias = number == 3
        var configuration = MixtureOfExperts.Configuration(
            experts: Self.experts, chosen: Self.chosen, width: Self.f, activation: bias ? .geluQuick : .silu,
            layout: layout)
        configuration.routing.normalizes = normalizes
        configuration.bias = bias
        configuration.limit = bias ? 0.3 : 0
        let weights = try weights(layout, bias: bias)
        let rows = 7
        let x: [Float] = (0..<rows * Self.c).map { number -> Float in Float((number * 37 + 11) % 29) / 14 - 1 }
        let expected = reference(
            weights, x, bias: bias, normalizes: normalizes, limit: Double(configuration.limit))
        for threads in [1, 2] {
            let device = Device(threadCount: threads)
            let layer = try MixtureOfExperts(
                WeightLoader(checkpoint: weights, device: device), "", configuration, hidden: Self.c)
            let y = try Tensor(zeros: [rows, Self.c])
            let input = try Tensor(x, shape: [rows, Self.c])
            try layer(input, AdapterRows(), into: y, on: device)
            for (own, expected) in zip(y.floats, expected) { #expect(abs(Double(own) - expected) < 1e-5) }
            // A row alone has the bits that it has among others; and the residual is added.
            for row in 0..<rows {
                let alone = try Tensor(zeros: [1, Self.c])
                try layer(input.rows(row..<row + 1), AdapterRows(), into: alone, on: device)
                #expect(alone.floats == y.rows(row..<row + 1).floats)
            }
            let sum = try Tensor(x, shape: [rows, Self.c])
            try layer(input, AdapterRows(), residual: sum, into: sum, on: device)
            for (index, own) in sum.floats.enumerated() {
                let wanted = Double(x[index]) + expected[index]
                #expect(abs(Double(own) - wanted) < 1e-5)
            }
        }
    }

    @Test func `of equal scores the first counts, and NaN is the least`() throws {
        let scores = try Tensor([1, 2, 2, 2, .nan, 0, -1, .nan, .nan, .nan, .nan, .nan], shape: [3, 4])
        let routes = ExpertRoutes(scores: scores, routing(2, normalizes: true))
        // Row 0 goes through 1 and 2, row 1 through 1 and 2, row 2 through 0 and 1.
        #expect(routes.spans.map(\.expert) == [0, 1, 2] && routes.spans.map(\.rows) == [0..<1, 1..<4, 4..<6])
        #expect(routes.rows == [2, 0, 1, 2, 0, 1])
        #expect(routes.places == [1, 4, 2, 5, 0, 3])
        #expect(routes.weights[0] == 0.5 && routes.weights[2] > 0.7)
    }

    @Test func `a tensor of another shape is refused by name`() throws {
        var weights = try weights(Self.layouts[1], bias: false)
        weights.tensors["output"] = try Tensor(zeros: [Self.experts, Self.c, Self.f + 1])
        let configuration = MixtureOfExperts.Configuration(
            experts: Self.experts, chosen: 2, width: Self.f, activation: .silu, layout: Self.layouts[1])
        let loader = WeightLoader(checkpoint: weights, device: Device(threadCount: 1))
        let error = #expect(throws: TensorError.self) {
            try MixtureOfExperts(loader, "", configuration, hidden: Self.c)
        }
        #expect(error?.message.contains("output") == true)
    }

    private func routing(_ chosen: Int, normalizes: Bool) -> ExpertRouting {
        var routing = ExpertRouting(chosen: chosen)
        routing.normalizes = normalizes
        return routing
    }

    @Test func `experts come from the best groups, and a correction decides without weighing`() throws {
        var routing = ExpertRouting(chosen: 2)
        (routing.isSigmoid, routing.groups, routing.chosenGroups, routing.groupBest) = (true, 3, 1, 2)
        routing.scale = 3
        // The middle group has the two best together, though the best alone is in the first.
        let scores = try Tensor([5, -5, 2, 2.5, 4, -4], shape: [1, 6])
        let routes = ExpertRoutes(scores: scores, routing)
        #expect(routes.spans.map(\.expert) == [2, 3])
        #expect(abs(routes.weights.reduce(0, +) - 3) < 1e-5 && routes.weights[0] < routes.weights[1])
        // A correction moves the choice to the last group; the weights are those of the scores.
        let corrected = ExpertRoutes(scores: scores, routing, correction: [0, 0, 0, 0, 0, 2])
        #expect(corrected.spans.map(\.expert) == [4, 5])
        let sum = 1 / (1 + exp(-4.0)) + 1 / (1 + exp(4.0))
        #expect(abs(Double(corrected.weights[0]) - 3 / (1 + exp(-4.0)) / sum) < 1e-5)
    }
}

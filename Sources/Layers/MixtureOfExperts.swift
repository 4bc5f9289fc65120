package import Tensors

/// A feed-forward of several experts (arXiv 1701.06538, 2101.03961), of which each row goes through few: a router scores
/// them, and the row's result is the weighted sum of what its best experts give.
package struct MixtureOfExperts: Sendable {
    package struct Configuration: Sendable {
        /// E.
        package var experts: Int
        /// F, the width of one expert.
        package var width: Int
        package var activation: Device.Activation
        package var routing: ExpertRouting
        /// What the file calls the number that is added to each expert's score when the best are chosen; nil for none.
        package var correction: String?
        /// What the file calls the number that each expert's weight is multiplied by in the end; nil for none.
        package var weightScales: String?
        /// An expert that every row goes through.
        package var shared: Shared?
        /// Whether router and experts have biases.
        package var bias = false
        /// Where it is above 0: the gate is at most that, and what it multiplies is 1 more than itself within ±limit (gpt-oss).
        package var limit: Float = 0
        package var layout: Layout

        package init(
            experts: Int, chosen: Int, width: Int, activation: Device.Activation, layout: Layout
        ) {
            (self.experts, self.width) = (experts, width)
            routing = ExpertRouting(chosen: chosen)
            (self.activation, self.layout) = (activation, layout)
        }
    }

    package struct Shared: Sendable {
        /// Its F.
        package var width: Int
        /// What stands before the names of its matrices, with the dot.
        package var name: String
        /// The projection whose sigmoid its result is multiplied by; nil for none.
        package var gate: String?

        package init(width: Int, name: String, gate: String? = nil) {
            (self.width, self.name, self.gate) = (width, name, gate)
        }
    }

    /// How a file holds the experts.
    package enum Layout: Sendable {
        /// A matrix of its own for each expert and part, `NAME.EXPERT.PART.weight`, by the names of the three parts.
        case apart(router: String, experts: String, gate: String, up: String, down: String)
        /// All experts' gates and ups in one tensor `[E, 2F, C]`, gates first, and downs in another `[E, C, F]`.
        case joint(router: String, input: String, output: String)
        /// A tensor `[E, F, C]` each for gates and ups, and `[E, C, F]` for downs (GGUF).
        case stacked(router: String, gate: String, up: String, down: String)
        /// gpt-oss: `[E, C, 2F]` and `[E, F, C]`, inputs first, or blocks of MXFP4 with the outputs first; gates and ups
        /// alternate.
        case alternating(router: String, experts: String)
    }

    private struct Expert: Sendable {
        var gate: PackedMatrix  // [F, C]
        var up: PackedMatrix  // [F, C]
        var down: PackedMatrix  // [C, F]
        var gateBias: Tensor?  // [F]
        var upBias: Tensor?  // [F]
        var downBias: Tensor?  // [C]
    }

    private let router: PackedMatrix  // [E, C]
    private let routerBias: Tensor?  // [E]
    private let correction: [Float]?  // [E]
    private let weightScales: [Float]?  // [E]
    private let shared: GatedFeedForward?
    private let sharedGate: Linear?  // [1, C]
    private let experts: [Expert]
    private let configuration: Configuration

    /// - Parameter name: what stands before the names of its tensors, with the dot.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, _ name: String, _ configuration: Configuration, hidden c: Int
    ) throws(TensorError) {
        let (count, f) = (configuration.experts, configuration.width)
        let router: String
        var experts: [Expert] = []
        switch configuration.layout {
        case .apart(let own, let list, let gate, let up, let down):
            router = own
            for index in 0..<count {
                let stem = "\(name)\(list).\(index)."
                experts.append(
                    Expert(
                        gate: try loader.matrix(stem + gate + ".weight", outputs: f, inputs: c),
                        up: try loader.matrix(stem + up + ".weight", outputs: f, inputs: c),
                        down: try loader.matrix(stem + down + ".weight", outputs: c, inputs: f)))
            }
        case .joint(let own, let input, let output):
            router = own
            for index in 0..<count {
                let expert = MatrixSource.Expert(index: index, count: count)
                let both = MatrixSource(loader, name + input, outputs: 2 * f, inputs: c, expert: expert)
                let down = MatrixSource(loader, name + output, outputs: c, inputs: f, expert: expert)
                experts.append(
                    Expert(
                        gate: try both.packed(0..<f), up: try both.packed(f..<2 * f), down: try down.packed()))
            }
        case .stacked(let own, let gate, let up, let down):
            router = own
            func matrix(_ part: String, _ index: Int, _ outputs: Int, _ inputs: Int) throws(TensorError) -> PackedMatrix
            {
                let expert = MatrixSource.Expert(index: index, count: count)
                return try MatrixSource(
                    loader, name + part + ".weight", outputs: outputs, inputs: inputs, expert: expert
                ).packed()
            }
            func biases(_ part: String, _ outputs: Int) throws(TensorError) -> [Tensor?] {
                guard configuration.bias else { return Array(repeating: nil, count: count) }
                let all = try loader.table(name + part + ".bias", shape: [count, outputs])
                return (0..<count).map { all.rows($0..<$0 + 1).reshaped([outputs]) }
            }
            let (gates, ups, downs) = (try biases(gate, f), try biases(up, f), try biases(down, c))
            for index in 0..<count {
                experts.append(
                    Expert(
                        gate: try matrix(gate, index, f, c), up: try matrix(up, index, f, c),
                        down: try matrix(down, index, c, f), gateBias: gates[index], upBias: ups[index],
                        downBias: downs[index]))
            }
        case .alternating(let own, let list):
            router = own
            let raised = try loader.table("\(name)\(list).gate_up_proj_bias", shape: [count, 2 * f])
            let lowered = try loader.table("\(name)\(list).down_proj_bias", shape: [count, c])
            // Gates are the even outputs, ups the odd ones.
            let order = (0..<f).map { 2 * $0 } + (0..<f).map { 2 * $0 + 1 }
            for index in 0..<count {
                let expert = MatrixSource.Expert(index: index, count: count)
                let both = MatrixSource(
                    loader, "\(name)\(list).gate_up_proj", outputs: 2 * f, inputs: c, transposed: true, expert: expert,
                    order: order)
                let down = MatrixSource(
                    loader, "\(name)\(list).down_proj", outputs: c, inputs: f, transposed: true, expert: expert)
                let bias = raised.rows(index..<index + 1).floats
                experts.append(
                    Expert(
                        gate: try both.packed(0..<f), up: try both.packed(f..<2 * f), down: try down.packed(),
                        gateBias: try Tensor(order.prefix(f).map { bias[$0] }, shape: [f]),
                        upBias: try Tensor(order.suffix(f).map { bias[$0] }, shape: [f]),
                        downBias: lowered.rows(index..<index + 1).reshaped([c])))
            }
        }
        // Small, and what it decides is not: never rounded.
        self.router = try PackedMatrix(
            try loader.table(name + router + ".weight", shape: [count, c]), on: loader.device)
        routerBias = configuration.bias ? try loader.vector(name + router + ".bias", count: count) : nil
        correction = try configuration.correction.map { own throws(TensorError) in
            try loader.vector(name + own, count: count).floats
        }
        weightScales = try configuration.weightScales.map { own throws(TensorError) in
            try loader.vector(name + own, count: count).floats
        }
        shared = try configuration.shared.map { own throws(TensorError) in
            try GatedFeedForward(
                loader, name + own.name, .init(width: own.width, activation: configuration.activation), hidden: c)
        }
        sharedGate = try configuration.shared?.gate.map { own throws(TensorError) in
            try loader.linear(name + own, outputs: 1, inputs: c, bias: false)
        }
        self.experts = experts
        self.configuration = configuration
    }

    package var matrices: [PackedMatrix] {
        [router] + experts.flatMap { [$0.gate, $0.up, $0.down] } + (shared?.matrices ?? [])
            + [sharedGate].compactMap { $0?.weight }
    }

    /// y = feed-forward(h) (+ residual), all `[R, C]`; `residual` may be `y`.
    ///
    /// A row's experts are summed in the order of their numbers, so that a row's bits do not depend on the rows beside it.
    ///
    /// - Parameter routed: what the router sees, `[R, C]`; `h` by default.
    package func callAsFunction(
        _ h: Tensor, routed: Tensor? = nil, _ adapters: AdapterRows, residual: Tensor? = nil, into y: Tensor,
        on device: Device
    ) throws(TensorError) {
        // First: y may be what is read.
        let shared = try self.shared(h, adapters, on: device)
        let scores = try device.makeRows(h.rowCount, width: configuration.experts)  // [R, E]
        try device.matmul(routed ?? h, router, bias: routerBias, into: scores)
        let routes = ExpertRoutes(
            scores: scores, configuration.routing, correction: correction, weightScales: weightScales)
        let x = try device.select(routes.rows, from: h)  // [R·k, C]
        let gated = try device.makeRows(x.rowCount, width: configuration.width)  // [R·k, F]
        let raised = try device.makeRows(x.rowCount, width: configuration.width)  // [R·k, F]
        var segments: [Device.Segment] = []
        for (index, rows) in routes.spans {
            let expert = experts[index]
            segments.append(.init(rows: rows, expert.gate, bias: expert.gateBias, into: gated))
            segments.append(.init(rows: rows, expert.up, bias: expert.upBias, into: raised))
        }
        try device.matmul(x, segments: segments)
        device.map(configuration.activation, gated, times: raised, limit: configuration.limit, into: gated)
        try device.matmul(
            gated,
            segments: routes.spans.map { index, rows in
                .init(rows: rows, experts[index].down, bias: experts[index].downBias, into: x)
            })
        device.mixRows(
            of: x, indices: routes.places, weights: routes.weights, count: configuration.routing.chosen,
            residual: residual, into: y)
        if let shared {
            device.mixRows(
                of: shared.rows, indices: (0..<Int32(h.rowCount)).map { $0 }, weights: shared.weights, count: 1,
                residual: y, into: y)
        }
    }

    /// What the expert that all rows go through gives, and the weight of each row.
    private func shared(
        _ h: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> (rows: Tensor, weights: [Float])? {
        guard let shared else { return nil }
        let rows = try device.makeRows(h.rowCount, width: h.width)
        try shared(h, adapters, into: rows, on: device)
        guard let sharedGate else { return (rows, Array(repeating: 1, count: h.rowCount)) }
        let gate = try sharedGate(h, adapters, on: device)  // [R, 1]
        device.map(.sigmoid, gate, into: gate)
        return (rows, gate.floats)
    }
}

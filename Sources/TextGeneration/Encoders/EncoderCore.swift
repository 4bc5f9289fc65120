package import Tensors
package import TextModels

/// Embeds and scores many texts together: add a request, step, cancel. Pure: no sockets, no clocks, no threads but the
/// device's.
///
/// Each step takes whole texts from the queue, in order of turn, through the encoder in one pass, without padding. What is
/// made of a text does not depend on the texts beside it.
package struct EncoderCore {
    package struct Options: Sendable {
        /// Rows of one pass, at most; a longer text has one of its own.
        package var tokenBudget = 2_048
        /// Texts that wait, at most.
        package var queueLimit = 1_024

        package init() {}
    }

    private struct Waiting: Sendable {
        var number: UInt64
        var request: GenerationRequest
    }

    package let loaded: LoadedEncoder
    private let device: Device
    private let options: Options
    /// In order of turn.
    private var waiting: [Waiting] = []
    private var nextRequest: UInt64 = 1
    /// Rows of the last step's pass.
    package private(set) var lastRows = 0

    package init(_ loaded: LoadedEncoder, options: Options = Options(), on device: Device) {
        precondition(options.tokenBudget > 0, "an engine needs a token budget")
        (self.loaded, self.options, self.device) = (loaded, options, device)
    }

    package var isIdle: Bool { waiting.isEmpty }
    package var waitingCount: Int { waiting.count }
    package var untouchedRequests: Set<UInt64> { Set(waiting.map(\.number)) }

    /// Where those stand that wait, in order of turn; none runs between steps.
    package var standings: (running: [EngineCore.Standing], waiting: [EngineCore.Standing]) {
        ([], waiting.map { EngineCore.Standing(text: $0.number, tokens: $0.request.prompt.count) })
    }

    /// Queues a text; what is made of it carries the number returned.
    ///
    /// - Throws: `TextModelError.resourceExhausted` when the queue is full, `.unsupported` for what this model does not
    ///   make.
    package mutating func add(_ request: GenerationRequest) throws(TextModelError) -> UInt64 {
        switch request.reading {
        case nil: throw LoadedEncoder.generationFault
        case .embedding: if let fault = loaded.abilities.embeddingFault { throw fault }
        case .score: if let fault = loaded.abilities.scoringFault { throw fault }
        }
        guard waiting.count < options.queueLimit else {
            throw TextModelError(
                .resourceExhausted, "\(waiting.count) texts wait; the queue holds \(options.queueLimit)")
        }
        waiting.append(Waiting(number: nextRequest, request: request))
        defer { nextRequest += 1 }
        return nextRequest
    }

    /// Forgets a text.
    package mutating func cancel(_ request: UInt64) { waiting.removeAll { $0.number == request } }

    /// Runs one pass and returns what it brought; nothing when idle.
    ///
    /// - Throws: `TensorError.tooLarge` when memory for the pass cannot be had; its texts wait as before.
    package mutating func step() throws(TensorError) -> [GenerationDelta] {
        lastRows = 0
        let count = turn()
        guard count > 0 else { return [] }
        let taken = Array(waiting[..<count])
        var texts = PackedTexts()
        for text in taken { texts.append(text.request.prompt, types: types(of: text.request)) }
        let states = try loaded.encoder.states(of: texts, on: device)  // [R, C]
        let abilities = loaded.abilities, rows = texts.rows.texts
        var pools = taken.map { Pool(abilities.pooling(for: $0.request.reading ?? .embedding)) }
        let pooled = device.update(&pools, at: Array(pools.indices)) { pool, number in
            pool.add(states.rows(rows[number]))
            return pool.vector
        }
        var deltas: [GenerationDelta] = []
        for reading in [GenerationRequest.Reading.embedding, .score] {
            let own = taken.indices.filter { taken[$0].request.reading == reading }
            let results = try abilities.results(of: own.map { pooled[$0] }, for: reading, on: device) { $0 }
            for (index, result) in zip(own, results) {
                deltas.append(GenerationDelta(reading: result, of: taken[index].number))
            }
        }
        waiting.removeFirst(count)
        lastRows = texts.ids.count
        return deltas
    }

    /// How many texts have their turn together. One under which an instance was lost is computed apart from others.
    private func turn() -> Int {
        var rows = 0
        for (index, text) in waiting.enumerated() {
            rows += text.request.prompt.count
            if index > 0, rows > options.tokenBudget || text.request.runsAlone { return index }
            if text.request.runsAlone { return 1 }
        }
        return waiting.count
    }

    /// Types that the encoder does not tell apart are all the same to it.
    private func types(of request: GenerationRequest) -> [Int32] {
        loaded.encoder.tokenTypes > 1 ? request.types : []
    }
}

extension GenerationDelta {
    /// What was made of a whole text.
    init(reading values: [Float], of request: UInt64) {
        self.init(request: request, choice: 0, index: -1, token: nil, text: "", finishReason: .stop)
        embedding = values
    }
}

package import Tensors
import Tokenizers

/// Generates for many requests together: add a request, step, cancel. Pure but for its own cache: no sockets, no
/// clocks, no threads but the device's.
///
/// Each step runs one forward pass over the decoding rows of all running sequences and, within the token budget,
/// chunks of waiting prompts. A sequence's tokens do not depend on what runs beside it, nor on the chunks.
package struct EngineCore {
    package struct Options: Sendable {
        /// Positions that the key-value cache holds.
        package var cachePositions: Int
        package var cachePrecision = CachePrecision.f32
        /// Rows of one forward pass, at most.
        package var tokenBudget = 256
        /// Sequences that run together, at most.
        package var sequenceLimit = 64
        /// Requests that wait, at most.
        package var queueLimit = 1_024

        package init(cachePositions: Int) { self.cachePositions = cachePositions }
    }

    /// What a queue looks like from outside.
    package struct Load: Sendable, Hashable {
        package var running: Int
        package var waiting: Int
        /// Tokens still to be computed or generated.
        package var outstandingTokens: Int
        package var freePages: Int
    }

    package let loaded: LoadedModel
    private let device: Device
    private let options: Options
    private let cache: KVStorage
    private var pages: PageAllocator
    private var running: [GeneratingSequence] = []
    private var waiting: [(request: UInt64, choice: Int, parameters: GenerationRequest)] = []
    private var nextRequest: UInt64 = 1

    /// - Throws: `TensorError.tooLarge` when the cache does not fit in memory.
    package init(_ loaded: LoadedModel, options: Options, on device: Device) throws(TensorError) {
        precondition(options.tokenBudget > 0 && options.sequenceLimit > 0, "an engine needs a token budget")
        self.loaded = loaded
        self.device = device
        self.options = options
        let shape = loaded.model.shape
        let pageCount = PageAllocator.pages(for: max(options.cachePositions, 1))
        cache = try KVStorage(
            pageCount: pageCount, layers: shape.layers, kvHeads: shape.kvHeads, headDim: shape.headDim,
            precision: options.cachePrecision)
        pages = PageAllocator(pageCount: pageCount)
    }

    package var isIdle: Bool { running.isEmpty && waiting.isEmpty }

    package var load: Load {
        let runningTokens = running.reduce(0) {
            $0 + $1.parameters.prompt.count + $1.parameters.maxTokens - $1.computed
        }
        let waitingTokens = waiting.reduce(0) { $0 + $1.parameters.prompt.count + $1.parameters.maxTokens }
        return Load(
            running: running.count, waiting: waiting.count, outstandingTokens: runningTokens + waitingTokens,
            freePages: pages.available)
    }

    /// Queues a request; its deltas carry the number returned.
    ///
    /// - Throws: `TextModelError.resourceExhausted` when the queue is full, or when the cache could not hold the
    ///   request even alone.
    package mutating func add(_ request: GenerationRequest) throws(TextModelError) -> UInt64 {
        guard waiting.count + request.n <= options.queueLimit else {
            throw TextModelError(
                .resourceExhausted, "\(waiting.count) requests wait; the queue holds \(options.queueLimit)")
        }
        let positions = request.prompt.count + request.maxTokens
        guard PageAllocator.pages(for: positions) <= pages.capacity else {
            throw TextModelError(
                .resourceExhausted,
                "the request needs \(positions) positions; the cache holds \(pages.capacity * KVStorage.pagePositions)")
        }
        let number = nextRequest
        nextRequest += 1
        for choice in 0..<request.n { waiting.append((number, choice, request)) }
        return number
    }

    /// Forgets a request; what it held is free at once.
    package mutating func cancel(_ request: UInt64) {
        waiting.removeAll { $0.request == request }
        for sequence in running where sequence.request == request { pages.release(sequence.pages) }
        running.removeAll { $0.request == request }
    }

    /// Runs one forward pass and returns what it brought; nothing when idle.
    ///
    /// - Throws: `TensorError.tooLarge` when memory for the pass cannot be had; no sequence has changed then.
    package mutating func step() throws(TensorError) -> [GenerationDelta] {
        admit()
        var plan = self.plan()
        guard !plan.chunks.isEmpty else { return [] }
        let hidden = try loaded.model.forward(plan.batch, cache: cache, on: device)
        plan.logitRows.sort()
        let logits = try loaded.model.logits(try hidden.selectingRows(plan.logitRows), on: device)
        var deltas: [GenerationDelta] = []
        for chunk in plan.chunks {
            let first = plan.logitRows.firstIndex { $0 >= chunk.row } ?? 0
            deltas += advance(chunk, logits: logits, firstLogit: first)
        }
        retire(deltas)
        return deltas
    }

    private struct Chunk {
        var sequence: Int
        /// Its first row in the batch, and how many rows it has.
        var row: Int
        var count: Int
    }

    private struct Plan {
        var batch = TokenBatch()
        var chunks: [Chunk] = []
        /// Rows whose logits are needed.
        var logitRows: [Int] = []
    }

    /// Starts waiting choices in their order while pages are free.
    private mutating func admit() {
        while let next = waiting.first, running.count < options.sequenceLimit {
            // The last token's keys are never needed, but its place costs nothing.
            let positions = next.parameters.prompt.count + next.parameters.maxTokens
            guard let granted = pages.allocate(positions: positions) else { return }
            waiting.removeFirst()
            running.append(
                GeneratingSequence(
                    request: next.request, choice: next.choice, parameters: next.parameters, pages: granted,
                    tokenizer: loaded.tokenizer))
        }
    }

    /// Decoding rows first, so that no stream waits for a prompt; then prompts in order, cut to what is left.
    private func plan() -> Plan {
        var plan = Plan()
        var budget = options.tokenBudget
        for decoding in [true, false] {
            for (index, sequence) in running.enumerated() where sequence.isDecoding == decoding {
                let count = min(sequence.pending, budget)
                if count <= 0 { continue }
                budget -= count
                let row = plan.batch.ids.count
                let tokens = sequence.tokens[sequence.computed..<sequence.computed + count]
                plan.batch.append(
                    tokens, from: sequence.computed, pages: sequence.pages, adapter: sequence.parameters.adapter)
                plan.chunks.append(Chunk(sequence: index, row: row, count: count))
                if sequence.wantsPromptLogProbabilities {
                    plan.logitRows += row..<row + count
                } else if count == sequence.pending {
                    plan.logitRows.append(row + count - 1)
                }
            }
        }
        return plan
    }

    private mutating func advance(_ chunk: Chunk, logits: Tensor, firstLogit: Int) -> [GenerationDelta] {
        let index = chunk.sequence
        let wantsPrompt = running[index].wantsPromptLogProbabilities
        let start = running[index].computed
        let isComplete = chunk.count == running[index].pending
        let prompt = running[index].parameters.prompt
        running[index].computed += chunk.count
        if wantsPrompt {
            for offset in 0..<chunk.count where start + offset + 1 < prompt.count {
                let row = logits.rows(firstLogit + offset..<firstLogit + offset + 1)
                running[index].promptLogProbabilities.append(
                    logProbability(of: prompt[start + offset + 1], row, running[index].parameters.logProbabilities ?? 0)
                )
            }
        }
        guard isComplete else { return [] }
        if running[index].parameters.maxTokens == 0 {
            return [
                GenerationDelta(
                    request: running[index].request, choice: running[index].choice, index: -1, token: nil, text: "",
                    promptLogProbabilities: running[index].promptLogProbabilities, finishReason: .length)
            ]
        }
        let last = wantsPrompt ? firstLogit + chunk.count - 1 : firstLogit
        let row = logits.rows(last..<last + 1)
        let id = running[index].choose(row.floats, allowed: min(row.width, loaded.tokenizer.vocabulary.count))
        let probability = running[index].parameters.logProbabilities.map { logProbability(of: id, row, $0) }
        return [running[index].accept(id, logProbability: probability, endTokens: loaded.endTokens)]
    }

    private func logProbability(of id: Int32, _ row: Tensor, _ count: Int) -> TokenLogProbability {
        let total = device.logSumExp(row)
        let values = row.floats
        var ranking = Ranking()
        let best = (0..<min(count, values.count)).map { ranking.id(at: $0, in: values) }
        return TokenLogProbability(
            id: id, logProbability: values[Int(id)] - total,
            alternatives: best.map { .init(id: $0, logProbability: values[Int($0)] - total) })
    }

    private mutating func retire(_ deltas: [GenerationDelta]) {
        for delta in deltas where delta.finishReason != nil {
            guard let index = running.firstIndex(where: { $0.request == delta.request && $0.choice == delta.choice })
            else { continue }
            pages.release(running[index].pages)
            running.remove(at: index)
        }
    }
}

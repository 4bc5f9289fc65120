import Tensors
import TextModels

/// A small model that proposes what a large one checks (speculative decoding, arXiv 2211.17192).
///
/// It draws with the sampler of the sequence, noise included: its proposal is what the large model would draw if it had
/// the small one's logits. Its keys and values lie in pages of the same numbers as the large model's.
struct DraftModel: Sendable {
    private let model: any TextModel
    private let vocabulary: Int
    private let cache: DecoderCache
    /// Tokens that it reads at most in one pass to catch up.
    private static let catchUp = 64

    /// - Throws: `TextModelError.unsupported` when the two do not have one tokenizer, or its context is shorter; `resourceExhausted` when the
    ///   cache does not fit in memory.
    init(
        _ loaded: LoadedModel, for target: LoadedModel, pageCount: Int, precision: CachePrecision
    ) throws(TextModelError) {
        guard loaded.tokenizer.hash == target.tokenizer.hash else {
            throw TextModelError(.unsupported, "a draft model needs the tokenizer of the model that it drafts for")
        }
        guard loaded.model.shape.context >= target.model.shape.context else {
            throw TextModelError(
                .unsupported,
                "the draft model's context is \(loaded.model.shape.context); it needs the model's own, "
                    + "\(target.model.shape.context)")
        }
        guard loaded.model.state == nil else {
            throw TextModelError(
                .unsupported,
                "the draft model has recurrent layers, whose states cannot follow drafts; take one that only attends")
        }
        model = loaded.model
        vocabulary = min(loaded.model.shape.vocabulary, loaded.tokenizer.vocabulary.count)
        do {
            cache = try model.cache(pageCount: pageCount, precision: precision)
        } catch {
            throw TextModelError(error)
        }
    }

    /// Reads rows that the large model has read.
    func follow(_ batch: TokenBatch, on device: Device) throws(TensorError) {
        _ = try model.forward(batch, cache: cache, on: device)
    }

    /// Proposes up to `room` tokens for each sequence; their `drafted` grows by what was read.
    func propose(
        _ sequences: inout [GeneratingSequence], room: [Int: Int], on device: Device
    ) throws(TensorError) -> [Int: [Int32]] {
        var drafts: [Int: [Int32]] = [:]
        var open = room.filter { $0.value > 0 }.keys.sorted()
        var samplers = Dictionary(uniqueKeysWithValues: open.map { ($0, sequences[$0].sampler) })
        while !open.isEmpty {
            var batch = TokenBatch()
            var drawing: [(sequence: Int, row: Int)] = []
            for index in open {
                let known = sequences[index].tokens + (drafts[index] ?? [])
                let start = sequences[index].drafted
                let end = min(known.count, start + Self.catchUp)
                batch.append(known[start..<end], from: start, pages: sequences[index].pages)
                sequences[index].drafted = end
                if end == known.count { drawing.append((index, batch.ids.count - 1)) }
            }
            let hidden = try model.forward(batch, cache: cache, on: device)
            guard !drawing.isEmpty else { break }
            let logits = try model.logits(try device.select(drawing.map(\.row), from: hidden), on: device)
            open = []
            for (row, (index, _)) in drawing.enumerated() {
                let values = logits.rows(row..<row + 1)
                // Where a grammar leaves no token, or ends the answer, there is nothing more to propose.
                guard let id = samplers[index]?.sample(values, allowed: vocabulary) else { continue }
                samplers[index]?.advance(id)
                drafts[index, default: []].append(id)
                let isDone = samplers[index]?.isDone ?? true
                if !isDone, drafts[index]?.count ?? 0 < room[index] ?? 0 { open.append(index) }
            }
        }
        return drafts
    }
}

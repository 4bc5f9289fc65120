import ArgumentParser
import Foundation
import Layers
import RPC
import ServiceRuntime
import Tensors
import TextGeneration
import TextModelService
import TextModels
import ZeroMQTransport

/// A text-model that dies when it computes a certain token, as by a fault in a kernel: for tests of what survives that.
@main
struct PoisonableTextModel: AsyncParsableCommand {
    @Option var model: ModelArgument
    @Option var bind: String
    @Option var threads = 1
    /// Computing it ends the process.
    @Option var poison: Int32

    func run() async throws {
        let device = Device(threadCount: threads)
        let gauge = LoadGauge(capacity: 64)
        let loaded = try LoadedModel(directory: model.directory(.text), on: device)
        let poisoned = LoadedModel(loaded, model: PoisonedModel(model: loaded.model, poison: poison))
        let numericsID = try NumericsID.compute(
            directory: model.directory(.text), tokenizerHash: loaded.tokenizer.hash)
        let engine = try TextEngine(
            poisoned, options: .init(cachePositions: 16_384), on: device, gauge: gauge)
        let revision = TextRevision(
            name: model.name, numericsID: numericsID, tokenizerHash: loaded.tokenizer.hash, engine: engine)
        let service = TextModelService(revision)
        let server = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [try ZeroMQTransport.shared().server(bind)], gauge: gauge)
        try await ServerLifetime.serve(server, label: "poisonable-text-model")
    }
}

/// Computes what another model does, and ends the process at one token.
private struct PoisonedModel: TextModel {
    let model: any TextModel
    let poison: Int32

    var shape: DecoderShape { model.shape }
    var layers: Range<Int> { model.layers }
    var pagedLayers: [KVExtents] { model.pagedLayers }
    var state: StateShape? { model.state }
    var weights: WeightCount { model.weights }
    var linearModules: [LinearModule] { model.linearModules }

    func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        if batch.ids.contains(poison) { abort() }
        return try model.embed(batch, on: device)
    }

    func run(_ x: Tensor, _ batch: TokenBatch, cache: DecoderCache, on device: Device) throws(TensorError) {
        try model.run(x, batch, cache: cache, on: device)
    }

    func normalize(_ x: Tensor, on device: Device) { model.normalize(x, on: device) }

    var tokenEmbedding: TokenEmbedding? { model.tokenEmbedding }

    func logits(_ hidden: Tensor, _ adapters: AdapterRows, on device: Device) throws(TensorError) -> Tensor {
        try model.logits(hidden, adapters, on: device)
    }
}

import Concurrency
import Messages
package import RPC
package import Tensors
package import TextModels
import Tokenizers

/// Loads what now lies where a model was loaded from, as a revision beside the current one.
package struct RevisionLoader: Sendable {
    /// Where the model lies; looked up again each time, so that a link may have been turned.
    package var directory: @Sendable () throws -> String
    package var precision: Precision
    /// Where packed weights are kept; nil for nowhere.
    package var cache: CacheDirectory?
    package var options: EngineCore.Options
    /// The draft model, read again.
    package var drafts: (@Sendable () throws -> LoadedModel)?
    /// Bytes that can be had; nil where that is not known.
    package var availableMemory: @Sendable () -> Int?
    private let device: Device
    private let gauge: LoadGauge

    /// What a process needs beside weights and cache.
    private static let margin = 64 << 20

    package init(
        directory: @escaping @Sendable () throws -> String, precision: Precision = .auto,
        options: EngineCore.Options, on device: Device, gauge: LoadGauge,
        availableMemory: @escaping @Sendable () -> Int? = { nil }
    ) {
        (self.directory, self.precision, self.options) = (directory, precision, options)
        (self.device, self.gauge, self.availableMemory) = (device, gauge, availableMemory)
    }

    /// - Returns: nil when the files are those of `current`.
    /// - Throws: `RPCError` FAILED_PRECONDITION for files that cannot be served or have another vocabulary,
    ///   RESOURCE_EXHAUSTED when both revisions do not fit.
    package func load(beside current: TextRevision) throws -> TextRevision? {
        do {
            let directory = try directory()
            let id = try numericsID(directory)
            guard id.tokenizerHash == current.tokenizerHash else {
                throw RPCError(
                    .failedPrecondition,
                    "the files have another vocabulary than the revision that is served; serve them under a name of "
                        + "their own", reason: "reload_tokenizer")
            }
            guard id.value != current.numericsID else { return nil }
            try checkMemory(directory, current)
            // On a thread of its own: the device's threads are for those who wait for tokens.
            let loaded = try LoadedModel(
                directory: directory, precision: precision, cache: cache, on: Device(threadCount: 1))
            guard try numericsID(directory).value == id.value else {
                throw RPCError(
                    .failedPrecondition, "the files changed while they were read; ask again when they are complete",
                    reason: "reload_changing")
            }
            let adapters = try current.adapters?.reloaded(for: loaded.model)
            let engine = try TextEngine(
                loaded, drafts: try drafts?(), options: options, on: device, gauge: gauge)
            if let packed = loaded.packedCache { _ = try DedicatedThread(name: "packed-cache") { packed.write() } }
            return TextRevision(
                numericsID: id.value, tokenizerHash: id.tokenizerHash, engine: engine, adapters: adapters)
        } catch let error as RPCError {
            throw error
        } catch {
            throw RPCError(
                .failedPrecondition, "the files cannot be served: \(error)",
                reason: "reload_invalid")
        }
    }

    private func numericsID(_ directory: String) throws -> (value: String, tokenizerHash: String) {
        let hash = try Tokenizer(directory: directory).hash
        let value = try NumericsID.compute(
            directory: directory, tokenizerHash: hash, precision: precision, cachePrecision: options.cachePrecision,
            cache: cache)
        return (value, hash)
    }

    private func checkMemory(_ directory: String, _ current: TextRevision) throws {
        guard let available = availableMemory() else { return }
        let weights = try CheckpointSize.weights(directory: directory, precision: precision)
        let needed = weights + current.engine.cacheByteCount + Self.margin
        guard needed > available else { return }
        throw RPCError(
            .resourceExhausted,
            "the new revision needs about \(needed >> 20) MiB beside the old one, \(available >> 20) MiB are "
                + "available; free memory, or restart the instances one by one", reason: "reload_memory")
    }
}

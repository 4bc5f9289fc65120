import Foundation
package import Tensors

/// A low-rank adapter of one model (LoRA, arXiv 2106.09685): y += s · B (A x) in some of its linear layers. The scale s
/// is folded into B when it is loaded.
package struct Adapter: Sendable {
    /// SHA-256 of what it adds: adapters with equal ids change a model in the same way, whatever they are called.
    package let contentID: String
    /// What the packed matrices take.
    package let byteCount: Int
    /// Linear layers of the model that it changes.
    package var updateCount: Int { updates.count { $0 != nil } }
    /// By the number of the linear layer; nil for those that stay as they are.
    let updates: [LowRankUpdate?]

    /// Loads what PEFT saved: `adapter_config.json` and `adapter_model.safetensors`.
    ///
    /// - Parameters:
    ///   - model: whose linear layers it changes; the shapes have to be theirs.
    ///   - byteLimit: what the packed matrices may take.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault; `.resourceExhausted` beyond the limit.
    package init(
        directory: String, for model: any TextModel, byteLimit: Int = .max, on device: Device
    ) throws(TextModelError) {
        let configuration = try AdapterConfiguration(path: directory + "/adapter_config.json")
        do {
            let file = try AdapterFile(directory: directory)
            let plan = try file.plan(configuration, for: model.linearModules)
            let needed = plan.reduce(0) { $0 + $1.byteCount }
            guard needed <= byteLimit else {
                throw TextModelError(
                    .resourceExhausted, "\(directory): the adapter takes \(needed) bytes; \(byteLimit) are left for it")
            }
            let count = model.linearModules.reduce(0) { $0 + $1.parts.count }
            var updates = [LowRankUpdate?](repeating: nil, count: count)
            var digest = NumericsDigest("adapter")
            for planned in plan { try file.load(planned, into: &updates, &digest, on: device) }
            self.updates = updates
            contentID = digest.finish()
            byteCount = needed
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch let error as TextModelError {
            throw error
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot load \(directory)")
        }
    }

    /// What an adapter's `adapter_config.json` calls the model that it is for: a name, or a path where it lay.
    ///
    /// - Throws: `TextModelError` that names the file.
    package static func baseModel(directory: String) throws(TextModelError) -> String? {
        try AdapterConfiguration(path: directory + "/adapter_config.json").baseModel
    }
}

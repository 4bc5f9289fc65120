import Foundation
package import Layers
package import Tensors

extension LowRankAdapter {
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
            self.init(contentID: digest.finish(), byteCount: needed, updates: updates)
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

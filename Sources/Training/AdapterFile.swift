import Foundation
import JSON
import Layers
import Tensors
package import TextModels

/// An adapter as PEFT keeps it: `adapter_config.json` and `adapter_model.safetensors`.
package enum AdapterFile {
    static let tensors = "adapter_model.safetensors", configuration = "adapter_config.json"
    /// What stands before a module's name: PEFT's model, the causal model in it, and the Transformer in that.
    private static let root = "base_model.model.model."

    /// Writes both files, each at once.
    ///
    /// - Parameters:
    ///   - base: what the adapter is said to belong to.
    ///   - directory: exists.
    /// - Throws: `TrainingError.unwritable`.
    package static func write(_ adapter: AdapterParameters, base: String, to directory: String) throws(TrainingError) {
        var tensors: [String: Tensor] = [:]
        for parameter in adapter.parameters { tensors[root + parameter.name] = parameter.value }
        let endings = Set(adapter.modules.map { String($0.module.name.split(separator: ".").last ?? "") })
        let targets = adapter.configuration.targets.isEmpty ? endings.sorted() : adapter.configuration.targets
        let fields: [(String, JSONValue)] = [
            ("base_model_name_or_path", .string(base)), ("bias", .string("none")), ("fan_in_fan_out", .bool(false)),
            ("inference_mode", .bool(true)), ("init_lora_weights", .bool(true)),
            ("lora_alpha", .number(JSONNumber(number(adapter.configuration.alpha)))),
            ("lora_dropout", .number(JSONNumber("0.0"))), ("modules_to_save", .null), ("peft_type", .string("LORA")),
            ("r", .number(JSONNumber("\(adapter.configuration.rank)"))),
            ("target_modules", .array(targets.map(JSONValue.string))), ("task_type", .string("CAUSAL_LM")),
            ("use_dora", .bool(adapter.configuration.hasMagnitudes)),
            ("use_rslora", .bool(adapter.configuration.usesRootScale)),
        ]
        let object = JSONValue.object(JSONObject(fields.map { (key: $0.0, value: $0.1) }))
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try DurableFile.write(try encoder.encode(object), to: "\(directory)/\(configuration)")
            try DurableFile.write(tensors, to: "\(directory)/\(self.tensors)")
        } catch let error as TrainingError {
            throw error
        } catch {
            throw TrainingError(.unwritable, "cannot write the adapter to \(directory): \(error)")
        }
    }

    /// PEFT takes whole numbers and others.
    private static func number(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }

    /// An adapter to begin with, or to be the reference.
    ///
    /// - Throws: `TrainingError` that names the file and what in it is not plain LoRA of this model.
    package static func read(_ directory: String, for parts: DecoderParts) throws -> AdapterParameters {
        let path = "\(directory)/\(configuration)"
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw TrainingError(.invalidOption, "cannot read \(path): \(error.localizedDescription)")
        }
        guard data.count < 1 << 20, let fields = try? JSONParser.parse(Array(data)) else {
            throw TrainingError(.invalidOption, "\(path) is no JSON")
        }
        func refusal(_ what: String) -> TrainingError {
            TrainingError(.invalidOption, "\(path): \(what); only LoRA or DoRA of one rank goes on being trained")
        }
        guard fields["peft_type"]?.text == "LORA" else { throw refusal("\"peft_type\" is not LORA") }
        let plain = [
            "lora_bias", "rank_pattern", "alpha_pattern", "modules_to_save", "trainable_token_indices",
        ]
        if let set = plain.first(where: { fields[$0]?.isEmpty == false }) { throw refusal("\"\(set)\" is set") }
        if let bias = fields["bias"]?.text, bias != "none" { throw refusal("\"bias\" is \"\(bias)\"") }
        var own = try options(fields, refusal)
        let file = try SafetensorsFile(path: "\(directory)/\(tensors)")
        let modules = parts.linearModules.filter { file.entries["\(root)\($0.name).lora_A.weight"] != nil }
        own.targets = try targets(of: modules, among: parts, refusal)
        let names = ["lora_A.weight", "lora_B.weight"] + (own.hasMagnitudes ? ["lora_magnitude_vector"] : [])
        let known = Set(modules.flatMap { module in names.map { "\(root)\(module.name).\($0)" } })
        if let other = file.entries.keys.sorted().first(where: { !known.contains($0) }) {
            throw refusal("the tensor \"\(other)\" is of no linear layer of this model")
        }
        return try AdapterParameters(own, modules) { module in
            let down = try file.tensor("\(root)\(module.name).lora_A.weight").widened()
            let up = try file.tensor("\(root)\(module.name).lora_B.weight").widened()
            guard down.shape == [own.rank, module.inputs], up.shape == [module.outputs, own.rank] else {
                throw refusal("\(module.name) has matrices \(down.shape) and \(up.shape)")
            }
            var values = AdapterParameters.Values(
                down: try Tensor(down.floats, shape: down.shape), up: try Tensor(up.floats, shape: up.shape))
            if own.hasMagnitudes {
                let lengths = try file.tensor("\(root)\(module.name).lora_magnitude_vector").widened()
                guard lengths.shape == [module.outputs] else {
                    throw refusal("\(module.name) has magnitudes \(lengths.shape), not [\(module.outputs)]")
                }
                values.magnitude = try Tensor(lengths.floats, shape: lengths.shape)
            }
            return values
        }
    }

    private static func options(
        _ fields: JSON.JSONValue, _ refusal: (String) -> TrainingError
    ) throws(TrainingError) -> AdapterParameters.Configuration {
        var own = AdapterParameters.Configuration()
        guard case .number(let rank) = fields["r"], let rank = rank.integer(Int.self), (1...1_024).contains(rank),
            case .number(let alpha) = fields["lora_alpha"], alpha.double.isFinite
        else { throw refusal("\"r\" or \"lora_alpha\" is no rank or number") }
        (own.rank, own.alpha) = (rank, alpha.double)
        if case .bool(true) = fields["use_rslora"] { own.usesRootScale = true }
        if case .bool(true) = fields["use_dora"] { own.hasMagnitudes = true }
        return own
    }

    /// The endings that name exactly these modules; where there are none, their whole names.
    private static func targets(
        of modules: [LinearModule], among parts: DecoderParts, _ refusal: (String) -> TrainingError
    ) throws(TrainingError) -> [String] {
        guard !modules.isEmpty else { throw refusal("it has no matrices for this model") }
        let endings = Set(modules.map { String($0.name.split(separator: ".").last ?? "") }).sorted()
        let named = try AdapterParameters.modules(endings, of: parts)
        return named.count == modules.count ? endings : modules.map(\.name)
    }
}

import Layers
import Tensors

/// What `quantization_config` of a `config.json` says: how others quantized the checkpoint. Which of its matrices they did
/// not (`modules_to_not_convert`, `ignore`, `llm_int8_skip_modules`, `dynamic`), its tensors say by their names.
///
/// What the configuration says of activations and of a cache in 8 bits is not imitated: both are held more precisely here.
enum QuantizationConfiguration {
    private static let known = "awq, bitsandbytes, compressed-tensors, fbgemm_fp8, fp8, gptq"

    /// A checkpoint's tensors as a source of weights.
    static func source(_ file: ConfigurationFile, directory: String) throws(TextModelError) -> any WeightSource {
        let format = try format(file)
        do throws(TensorError) {
            let checkpoint = try Checkpoint(directory: directory)
            guard let format else { return checkpoint }
            return QuantizedCheckpoint(checkpoint, format)
        } catch {
            throw TextModelError(error)
        }
    }

    /// - Returns: nil for a checkpoint of floats, and for those whose layers look for the whole numbers themselves.
    /// - Throws: `TextModelError.unsupported` that names the field which says what is not known here.
    static func format(_ file: ConfigurationFile) throws(TextModelError) -> QuantizedFormat? {
        guard let fields = try file.fields("quantization_config") else { return nil }
        let method = try fields.text("quant_method") ?? "none"
        switch method {
        // gpt-oss is the one that is published in MXFP4; its layers look for the blocks.
        case "nephele", "mxfp4": return nil
        case "gptq": return try gptq(fields)
        case "awq": return try awq(fields)
        case "fp8", "fbgemm_fp8": return try fp8(fields)
        case "compressed-tensors": return try compressedTensors(fields)
        case "bitsandbytes": return .bitsAndBytes
        default:
            throw file.refusal(
                "quantization_config",
                "is of \"\(method)\", which is not supported; known: \(known), and GGUF files. Take the checkpoint in one of "
                    + "these, or the one in floats with --precision", .unsupported)
        }
    }

    private static func gptq(_ fields: ConfigurationFile) throws(TextModelError) -> QuantizedFormat {
        let format = try fields.text(fields.has("checkpoint_format") ? "checkpoint_format" : "format") ?? "gptq"
        guard ["gptq", "gptq_v2"].contains(format), try fields.bool("is_marlin_format") != true else {
            throw fields.refusal(
                "checkpoint_format",
                "is \"\(format)\"; known: gptq, gptq_v2 (other layouts are made from them at load)",
                .unsupported)
        }
        if let type = try fields.text("pack_dtype"), type != "int32" {
            throw fields.refusal("pack_dtype", "is \"\(type)\"; known: int32", .unsupported)
        }
        // A module may have its own.
        let isUniform = try fields.fields("dynamic")?.names.isEmpty ?? true
        let bits = try fields.extent("bits", in: 1...16)
        guard [2, 3, 4, 8].contains(bits) else {
            throw fields.refusal("bits", "is \(bits); known: 2, 3, 4, 8", .unsupported)
        }
        return .gptq(
            bits: isUniform ? bits : nil, groupSizes: [try groupSize(fields, absent: 128)],
            zerosAreOneLess: format == "gptq")
    }

    private static func awq(_ fields: ConfigurationFile) throws(TextModelError) -> QuantizedFormat {
        let field = fields.has("version") ? "version" : "format"
        let version = try fields.text(field) ?? "gemm"
        guard version.lowercased() == "gemm" else {
            throw fields.refusal(field, "is \"\(version)\"; known: gemm", .unsupported)
        }
        let bits = try fields.extent("bits", in: 1...16, absent: 4)
        guard bits == 4 else { throw fields.refusal("bits", "is \(bits); known: 4", .unsupported) }
        if let backend = try fields.text("backend"), backend == "llm-awq" {
            throw fields.refusal("backend", "is \"\(backend)\", which packs in another order", .unsupported)
        }
        return .awq(groupSizes: [try groupSize(fields, absent: 128)])
    }

    private static func fp8(_ fields: ConfigurationFile) throws(TextModelError) -> QuantizedFormat {
        for (field, only) in [("fmt", "e4m3"), ("expert_dtype", "fp8"), ("scale_fmt", "float")] {
            // DeepSeek says "ue8m0" of scales that are powers of two, and writes them in f32: their type is looked at.
            guard let value = try fields.text(field), value != only, (field, value) != ("scale_fmt", "ue8m0") else {
                continue
            }
            throw fields.refusal(field, "is \"\(value)\"; known: \(only)", .unsupported)
        }
        return .fp8(blocks: try block(fields, "weight_block_size").map { [$0] } ?? [])
    }

    private static func compressedTensors(_ fields: ConfigurationFile) throws(TextModelError) -> QuantizedFormat? {
        let formats = [
            "pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mixed-precision", "dense",
        ]
        func check(_ fields: ConfigurationFile) throws(TextModelError) {
            guard let format = try fields.text("format"), !formats.contains(format) else { return }
            throw fields.refusal(
                "format", "is \"\(format)\"; known: \(formats.joined(separator: ", "))", .unsupported)
        }
        try check(fields)
        if let status = try fields.text("quantization_status"), status != "compressed" {
            throw fields.refusal(
                "quantization_status",
                "is \"\(status)\"; only \"compressed\" checkpoints are supported: save with compression",
                .unsupported)
        }
        // Rotations are computed between the layers, not only in the weights.
        if let transform = try fields.fields("transform_config"), !transform.names.isEmpty {
            if let groups = try transform.fields("config_groups"), groups.names.isEmpty {
                // None.
            } else {
                throw fields.refusal("transform_config", "names transforms, which are not supported", .unsupported)
            }
        }
        if let sparsity = try fields.fields("sparsity_config"),
            case let format = try sparsity.text("format") ?? "dense",
            format != "dense"
        {
            throw sparsity.refusal("format", "is \"\(format)\"; known: dense", .unsupported)
        }
        var (groupSizes, blocks): ([Int], [[Int]]) = ([], [])
        let groups = try fields.fields("config_groups")
        for name in groups?.names ?? [] {
            guard let group = try groups?.fields(name) else { continue }
            try check(group)
            if !group.isNull("output_activations"), group.has("output_activations") {
                throw group.refusal("output_activations", "is set, which is not supported", .unsupported)
            }
            guard let weights = try group.fields("weights") else { continue }
            let (type, bits) = (
                try weights.text("type") ?? "int", try weights.extent("num_bits", in: 1...64, absent: 8)
            )
            guard type == "int" ? [2, 3, 4, 8].contains(bits) : type == "float" && bits == 8 else {
                throw weights.refusal(
                    "num_bits", "is \(bits) of type \"\(type)\"; known: int of 2, 3, 4 and 8, float of 8", .unsupported)
            }
            groupSizes.append(try groupSize(weights, absent: -1))
            if let block = try block(weights, "block_structure") { blocks.append(block) }
        }
        return .compressedTensors(groupSizes: groupSizes, blocks: blocks)
    }

    /// Inputs that share a scale; 0 for all of an output's.
    private static func groupSize(_ fields: ConfigurationFile, absent: Int) throws(TextModelError) -> Int {
        let size = try fields.integer("group_size") ?? absent
        guard size == -1 || (1...1 << 24).contains(size) else {
            throw fields.refusal("group_size", "is \(size); it is -1 or a number of inputs")
        }
        return max(0, size)
    }

    /// Outputs and inputs of a block; nil where there are none.
    private static func block(_ fields: ConfigurationFile, _ name: String) throws(TextModelError) -> [Int]? {
        guard let numbers = try fields.numbers(name) else { return nil }
        let extents = numbers.compactMap { Int(exactly: $0) }
        guard numbers.count == 2, extents.count == 2, extents.allSatisfy({ (1...1 << 24).contains($0) }) else {
            throw fields.refusal(name, "is \(numbers); it is a number of outputs and one of inputs")
        }
        return extents
    }
}

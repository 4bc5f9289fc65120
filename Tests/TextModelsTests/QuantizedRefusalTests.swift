import Foundation
import ModelTesting
import Tensors
import Testing

@testable import TextModels

/// A golden checkpoint with some of its tensors or some of its configuration changed.
private func damaged(
    _ name: String, _ changes: [String: Tensor?] = [:], _ fields: [String: Any] = [:]
) throws -> TemporaryDirectory {
    let source = goldens + "quantized/" + name, directory = try TemporaryDirectory()
    let checkpoint = try Checkpoint(directory: source)
    var tensors: [String: Tensor] = [:]
    for tensor in checkpoint.names { tensors[tensor] = try checkpoint.tensor(tensor) }
    for (tensor, value) in changes { tensors[tensor] = value }
    try directory.write("model.safetensors", try SafetensorsWriter.encode(tensors))
    let data = try Data(contentsOf: URL(fileURLWithPath: source + "/config.json"))
    var configuration = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    var quantization = try #require(configuration["quantization_config"] as? [String: Any])
    quantization.merge(fields) { $1 }
    configuration["quantization_config"] = quantization
    try directory.write("config.json", json: configuration)
    return directory
}

private func tensor(_ name: String, _ tensor: String) throws -> Tensor {
    try Checkpoint(directory: goldens + "quantized/" + name).tensor(tensor)
}

@Suite struct QuantizedRefusalTests {
    let device = Device(threadCount: 1)

    private func expectRefusal(
        _ directory: TemporaryDirectory, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        do {
            _ = try TextModelLoader.load(directory: directory.path, on: device)
            Issue.record("it was loaded", sourceLocation: sourceLocation)
        } catch {
            for word in words {
                #expect(error.message.contains(word), "\(error.message)", sourceLocation: sourceLocation)
            }
        }
    }

    private static let q = "model.layers.0.self_attn.q_proj"

    /// The tensors of a matrix in each format.
    @Test(
        arguments: [
            ("gptq-int4-128", ["qzeros", "scales"]), ("awq-int4", ["qzeros", "scales"]),
            ("ct-int4-asym", ["weight_shape", "weight_scale"]), ("ct-int8", ["weight_scale"]),
            ("fp8-tensor", ["weight_scale_inv"]), ("bnb-int8", ["SCB"]),
            (
                "bnb-nf4-double",
                [
                    "weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map",
                    "weight.quant_state.bitsandbytes__nf4",
                ]
            ),
        ])
    func `a tensor that is missing or has another shape or type is named`(name: String, suffixes: [String]) throws {
        for suffix in suffixes {
            let full = "\(Self.q).\(suffix)"
            let isAbsent = suffix == "weight.absmax"
            expectRefusal(try damaged(name, [full: nil]), isAbsent ? "\(Self.q).weight" : suffix)
            expectRefusal(try damaged(name, [full: try Tensor(zeros: [3, 5, 7])]), suffix)
            expectRefusal(try damaged(name, [full: try Tensor(zeros: [], dtype: .i64)]), suffix)
            expectRefusal(try damaged(name, [full: try Tensor(zeros: [0], dtype: .u8)]), suffix)
        }
    }

    @Test func `packed weights of another shape are named`() throws {
        for (name, suffix) in [
            ("gptq-int4-128", "qweight"), ("awq-int4", "qweight"), ("ct-int4-group", "weight_packed"),
        ] {
            for shape in [[], [0], [8, 64, 1], [9, 64], [64, 8, 0]] {
                expectRefusal(
                    try damaged(name, ["\(Self.q).\(suffix)": try Tensor(zeros: shape, dtype: .i32)]), suffix)
            }
        }
        for (name, dtype) in [("fp8-block", DType.f8e4m3), ("ct-int8", .i8), ("bnb-nf4", .u8)] {
            expectRefusal(
                try damaged(name, ["\(Self.q).weight": try Tensor(zeros: [64, 63], dtype: dtype)]), "\(Self.q).weight")
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, -1])
    func `scales that are none are named`(value: Float) throws {
        for (name, suffix) in [
            ("fp8-block", "weight_scale_inv"), ("ct-fp8", "weight_scale"), ("bnb-nf4", "weight.absmax"),
            ("bnb-int8", "SCB"), ("gptq-int8", "scales"), ("awq-int4", "scales"), ("ct-int8", "weight_scale"),
        ] {
            // Zero points and signs of whole numbers make up for a scale below 0.
            if value == -1, ["scales", "weight_scale"].contains(suffix), name != "ct-fp8" { continue }
            let whole = try tensor(name, "\(Self.q).\(suffix)").widened()
            let scales = try Tensor(whole.floats, shape: whole.shape)
            scales[scales.count - 1] = value
            expectRefusal(try damaged(name, ["\(Self.q).\(suffix)": scales]), suffix, "no scale")
        }
    }

    @Test func `NaN among the codes of FP8 is refused`() throws {
        for code in [UInt8(0x7F), 0xFF] {
            let weight = try tensor("fp8-tensor", "\(Self.q).weight")
            var bytes = weight.bytes
            bytes[77] = code
            let codes = try Tensor(u8: bytes, shape: weight.shape).reinterpreted(as: .f8e4m3, shape: weight.shape)
            expectRefusal(try damaged("fp8-tensor", ["\(Self.q).weight": codes]), "\(Self.q).weight", "NaN")
        }
    }

    @Test func `inputs in groups that are not there, or in groups of unequal size, are refused`() throws {
        for (name, suffix) in [("gptq-int4-actorder", "g_idx"), ("ct-int4-actorder", "weight_g_idx")] {
            var groups = try tensor(name, "\(Self.q).\(suffix)").int32s
            let first = groups[0]
            for (group, words) in [
                (Int32(2), "group 2 of 2"), (-1, "group -1 of 2"), (first == 0 ? 1 : 0, "33 inputs"),
            ] {
                groups[0] = group
                let isUnequal = words == "33 inputs"
                expectRefusal(
                    try damaged(name, ["\(Self.q).\(suffix)": try Tensor(int32s: groups)]), suffix,
                    isUnequal ? "inputs into group" : words)
            }
        }
    }

    @Test func `what a state of bitsandbytes says wrongly is refused`() throws {
        let name = "\(Self.q).weight.quant_state.bitsandbytes__nf4"
        for (text, word) in [
            ("{}", "blocksize"), ("[1", "not JSON"), (#"{"blocksize":64,"shape":[64,65]}"#, "[64, 65]"),
            (#"{"blocksize":0,"shape":[64,64]}"#, "blocks of 0"),
            (#"{"blocksize":9223372036854775807,"shape":[64,64]}"#, "blocks of"),
            (#"{"blocksize":64,"shape":[64,64]}"#, "nested"),
            (#"{"blocksize":64,"shape":[64,64],"nested_blocksize":0,"nested_offset":0}"#, "blocks of 64 and 0"),
        ] {
            let bytes = Array(text.utf8)
            expectRefusal(
                try damaged("bnb-nf4-double", [name: try Tensor(u8: bytes, shape: [bytes.count])]), word)
        }
    }

    @Test func `what the configuration says that is not known is refused by the field's name`() throws {
        let cases: [(String, [String: Any], String)] = [
            ("gptq-int4-128", ["quant_method": "aqlm"], "known: awq, bitsandbytes"),
            ("gptq-int4-128", ["checkpoint_format": "marlin"], "checkpoint_format"),
            ("gptq-int4-128", ["bits": 8], "qweight"), ("gptq-int4-128", ["bits": 5], "bits"),
            ("gptq-int4-128", ["group_size": 0], "group_size"),
            ("gptq-int4-128", ["pack_dtype": "int16"], "pack_dtype"),
            ("awq-int4", ["version": "gemv"], "version"), ("awq-int4", ["bits": 3], "bits"),
            ("fp8-block", ["fmt": "e5m2"], "fmt"), ("fp8-block", ["expert_dtype": "fp4"], "expert_dtype"),
            ("fp8-block", ["weight_block_size": [0, 128]], "weight_block_size"),
            ("fp8-block", ["weight_block_size": [64, 64]], "weight_scale_inv"),
            ("ct-int4-group", ["format": "nvfp4-pack-quantized"], "format"),
            ("ct-int4-group", ["quantization_status": "frozen"], "quantization_status"),
            ("ct-int4-group", ["transform_config": ["config_groups": ["a": ["type": "hadamard"]]]], "transform_config"),
            ("ct-int4-group", ["sparsity_config": ["format": "sparse-24-bitmask"]], "sparsity_config.format"),
            ("ct-int4-group", ["config_groups": ["g": ["weights": ["num_bits": 4, "type": "float"]]]], "num_bits"),
        ]
        for (name, fields, word) in cases { expectRefusal(try damaged(name, [:], fields), word) }
    }

    @Test func `a head of its own may be quantized, and quantizing again is refused`() throws {
        var changes: [String: Tensor?] = [:]
        changes["lm_head.qweight"] = try Tensor(zeros: [16, 256], dtype: .i32)
        changes["lm_head.qzeros"] = try Tensor(zeros: [1, 32], dtype: .i32)
        changes["lm_head.scales"] = try Tensor(zeros: [1, 256])
        changes["lm_head.weight"] = .some(nil)
        let directory = try damaged("gptq-int4-128", changes)
        let model = try TextModelLoader.load(directory: directory.path, on: device)
        #expect(model.hasHead && model.shape.vocabulary == 256)
        #expect(throws: TextModelError.self) {
            try CheckpointQuantizer.quantize(
                directory: directory.path, to: .int8, output: directory.path + "/out", on: device)
        }
    }
}

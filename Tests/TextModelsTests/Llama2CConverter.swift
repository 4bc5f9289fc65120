import Foundation
import ModelTesting
import Tensors

/// Converts llama2.c's checkpoint and tokenizer (version 0: `run.c`'s `read_checkpoint` and `build_tokenizer`) to a
/// Hugging Face directory.
enum Llama2CConverter {
    static func convert(model: String, tokenizer: String, to directory: TemporaryDirectory) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: model))
        let header = (0..<7).map { Int(data.loadInteger(at: $0 * 4)) }
        let (dim, hidden, layers, heads, kvHeads, seq) = (
            header[0], header[1], header[2], header[3], header[4], header[6]
        )
        let vocabulary = abs(header[5])
        let tied = header[5] > 0
        let headDim = dim / heads
        var offset = 28
        func take(_ shape: [Int]) throws -> Tensor {
            let count = shape.reduce(1, *)
            defer { offset += count * 4 }
            return try Tensor(
                (0..<count).map { Float(bitPattern: UInt32(bitPattern: data.loadInteger(at: offset + $0 * 4))) },
                shape: shape)
        }
        var tensors: [String: Tensor] = [:]
        func takeLayers(_ name: String, _ shape: [Int], permuteHeads: Int? = nil) throws {
            for layer in 0..<layers {
                var tensor = try take(shape)
                if let permuteHeads { tensor = try halfSplit(tensor, heads: permuteHeads, headDim: headDim) }
                tensors["model.layers.\(layer).\(name).weight"] = tensor
            }
        }
        tensors["model.embed_tokens.weight"] = try take([vocabulary, dim])
        try takeLayers("input_layernorm", [dim])
        try takeLayers("self_attn.q_proj", [heads * headDim, dim], permuteHeads: heads)
        try takeLayers("self_attn.k_proj", [kvHeads * headDim, dim], permuteHeads: kvHeads)
        try takeLayers("self_attn.v_proj", [kvHeads * headDim, dim])
        try takeLayers("self_attn.o_proj", [dim, heads * headDim])
        try takeLayers("post_attention_layernorm", [dim])
        try takeLayers("mlp.gate_proj", [hidden, dim])
        try takeLayers("mlp.down_proj", [dim, hidden])
        try takeLayers("mlp.up_proj", [hidden, dim])
        tensors["model.norm.weight"] = try take([dim])
        _ = try take([2, seq, headDim / 2])  // the RoPE tables, which are computed
        if !tied { tensors["lm_head.weight"] = try take([vocabulary, dim]) }
        try directory.write("model.safetensors", try SafetensorsWriter.encode(tensors))
        try directory.write(
            "config.json",
            json: [
                "model_type": "llama", "hidden_size": dim, "intermediate_size": hidden, "num_hidden_layers": layers,
                "num_attention_heads": heads, "num_key_value_heads": kvHeads, "vocab_size": vocabulary,
                "max_position_embeddings": seq, "rms_norm_eps": 1e-5, "rope_theta": 10_000.0,
                "tie_word_embeddings": tied,
                "bos_token_id": 1, "eos_token_id": 2,
            ])
        try directory.write("tokenizer.json", json: try tokenizerJSON(tokenizer, count: vocabulary))
    }

    /// llama2.c rotates neighbouring elements; transformers element i with i + D/2.
    private static func halfSplit(_ weight: Tensor, heads: Int, headDim: Int) throws -> Tensor {
        let order = (0..<heads).flatMap { head in
            (0..<headDim).map { i in
                head * headDim + (i < headDim / 2 ? 2 * i : 2 * (i - headDim / 2) + 1)
            }
        }
        return try weight.selectingRows(order)
    }

    private static func tokenizerJSON(_ path: String, count: Int) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        var offset = 4
        var pieces: [(text: String, score: Float)] = []
        for id in 0..<count {
            let score = Float(bitPattern: UInt32(bitPattern: data.loadInteger(at: offset)))
            let length = Int(data.loadInteger(at: offset + 4))
            let bytes = data[data.startIndex + offset + 8..<data.startIndex + offset + 8 + length]
            offset += 8 + length
            let text = String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: " ", with: "▁")
            pieces.append((id == 0 ? "<unk>" : id == 1 ? "<s>" : id == 2 ? "</s>" : text, score))
        }
        let vocabulary = Dictionary(uniqueKeysWithValues: pieces.enumerated().map { ($1.text, $0) })
        var merges: [(pair: [String], score: Float)] = []
        for piece in pieces.dropFirst(259) {
            for cut in piece.text.indices.dropFirst() {
                let (left, right) = (String(piece.text[..<cut]), String(piece.text[cut...]))
                if vocabulary[left] != nil, vocabulary[right] != nil { merges.append(([left, right], piece.score)) }
            }
        }
        merges.sort { $0.score > $1.score }
        let special = ["<unk>", "<s>", "</s>"].enumerated().map {
            ["id": $0, "content": $1, "special": true] as [String: Any]
        }
        return [
            "added_tokens": special,
            "normalizer": [
                "type": "Sequence",
                "normalizers": [
                    ["type": "Prepend", "prepend": "▁"],
                    ["type": "Replace", "pattern": ["String": " "], "content": "▁"],
                ],
            ],
            "decoder": [
                "type": "Sequence",
                "decoders": [
                    ["type": "Replace", "pattern": ["String": "▁"], "content": " "], ["type": "ByteFallback"],
                    ["type": "Fuse"], ["type": "Strip", "content": " ", "start": 1, "stop": 0],
                ],
            ],
            "model": [
                "type": "BPE", "vocab": vocabulary, "merges": merges.map { $0.pair }, "byte_fallback": true,
                "unk_token": "<unk>",
            ] as [String: Any],
        ]
    }
}

extension Data {
    /// The little-endian 32-bit integer at a byte offset.
    func loadInteger(at offset: Int) -> Int32 {
        (0..<4).reversed().reduce(Int32(0)) { $0 << 8 | Int32(self[startIndex + offset + $1]) }
    }
}

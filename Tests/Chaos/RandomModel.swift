import Foundation

/// A Llama model of GPT-2's shape (12 layers of 768, 85 million parameters) and another model's vocabulary, with random
/// weights: what it writes makes no sense, and is the same each time.
enum RandomModel {
    private static let layers = 12, width = 768, hidden = 2_048, heads = 12

    /// - Parameter directory: holds the checkpoint with the vocabulary, and then this one.
    static func write(over directory: String) throws {
        let place = URL(fileURLWithPath: directory + "/config.json")
        var configuration = try JSONSerialization.jsonObject(with: Data(contentsOf: place)) as? [String: Any] ?? [:]
        let vocabulary = configuration["vocab_size"] as? Int ?? 0
        configuration.merge([
            "hidden_size": width, "intermediate_size": hidden, "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads, "head_dim": width / heads,
        ]) { $1 }
        var tensors: [(name: String, shape: [Int])] = [
            ("model.embed_tokens.weight", [vocabulary, width]), ("model.norm.weight", [width]),
        ]
        for layer in 0..<layers {
            let names = ["q", "k", "v", "o"].map { ("self_attn.\($0)_proj", [width, width]) }
            let matrices =
                names + [
                    ("mlp.gate_proj", [hidden, width]), ("mlp.up_proj", [hidden, width]),
                    ("mlp.down_proj", [width, hidden]), ("input_layernorm", [width]),
                    ("post_attention_layernorm", [width]),
                ]
            tensors += matrices.map { ("model.layers.\(layer).\($0.0).weight", $0.1) }
        }
        // One block of numbers over and over: to draw them all would take longer than the case.
        var random = SplitMix(state: 2)
        let block = data((0..<(1 << 20) - 1).map { _ in Float.random(in: -0.05...0.05, using: &random) })
        let ones = data(Array(repeating: 1, count: width))
        var (header, weights): ([String: Any], Data) = ([:], Data())
        for (name, shape) in tensors {
            let start = weights.count, end = start + 2 * shape.reduce(1, *)
            while weights.count < end {
                weights.append(shape.count == 1 ? ones : block.prefix(end - weights.count))
            }
            header[name] = ["dtype": "BF16", "shape": shape, "data_offsets": [start, end]]
        }
        try SafetensorsData.write(header, weights, to: directory + "/model.safetensors")
        try JSONSerialization.data(withJSONObject: configuration).write(to: place)
    }

    /// As bf16.
    private static func data(_ numbers: [Float]) -> Data {
        var data = Data(capacity: 2 * numbers.count)
        for number in numbers {
            let bits = number.bitPattern >> 16
            data.append(UInt8(truncatingIfNeeded: bits))
            data.append(UInt8(truncatingIfNeeded: bits >> 8))
        }
        return data
    }
}

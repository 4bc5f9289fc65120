import Foundation

/// A LoRA adapter of nephele-verse with random weights, as PEFT saves one: what it writes makes no sense, and is the
/// same each time.
enum RandomAdapter {
    private static let layers = 6, width = 192, rank = 4

    static func write(to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let configuration: [String: Any] = [
            "peft_type": "LORA", "r": rank, "lora_alpha": 8, "target_modules": ["q_proj"],
            "base_model_name_or_path": "nephele-verse",
        ]
        try JSONSerialization.data(withJSONObject: configuration)
            .write(to: URL(fileURLWithPath: directory + "/adapter_config.json"))
        var random = SplitMix(state: 1)
        var header: [String: Any] = [:]
        var data = Data()
        for layer in 0..<layers {
            for (matrix, shape) in [("A", [rank, width]), ("B", [width, rank])] {
                let start = data.count
                for _ in 0..<rank * width {
                    let bits = Float.random(in: -0.1...0.1, using: &random).bitPattern
                    for shift in [0, 8, 16, 24] as [UInt32] { data.append(UInt8(truncatingIfNeeded: bits >> shift)) }
                }
                header["base_model.model.model.layers.\(layer).self_attn.q_proj.lora_\(matrix).weight"] = [
                    "dtype": "F32", "shape": shape, "data_offsets": [start, data.count],
                ]
            }
        }
        try SafetensorsData.write(header, data, to: directory + "/adapter_model.safetensors")
    }
}

/// SplitMix64: a generator with a seed, so that a run can be had again as far as timing allows.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// How llama.cpp's files of an architecture name and lay out what Hugging Face's checkpoints hold.
package struct GGUFLayout: Sendable {
    /// `general.architecture`.
    let name: String
    /// What Hugging Face's names of the layers begin with, before the layer's number.
    var layerPrefix = "model.layers."
    /// The stems of tensors outside of the layers, by Hugging Face's.
    var globals = [
        "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    ]
    /// The stems of tensors in a layer, by Hugging Face's.
    var layers = [
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "self_attn.qkv_proj": "attn_qkv",
        "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        "mlp.gate_up_proj": "ffn_up",
    ]
    /// Whole names of tensors in a layer that have no kind, or another one.
    var layerTensors: [String: String] = [:]
    /// Keys that the architecture reads besides the common ones.
    var keys: Set<String> = []
    /// Whether the rows of queries and keys that RoPE turns together stand side by side in the file: row 2i + j of a
    /// head is then its row j · D/2 + i.
    var interleavesRotaryRows = false

    /// The order that puts rows back which stand as RoPE's pairs; nil where there are no whole pairs.
    static func rotaryRowOrder(rows: Int, heads: Int) -> [Int]? {
        guard heads > 0, rows % heads == 0, rows / heads % 2 == 0 else { return nil }
        let (headDim, half) = (rows / heads, rows / heads / 2)
        return (0..<rows).map { row in
            let (head, inHead) = (row / headDim, row % headDim)
            return head * headDim + inHead % half * 2 + inHead / half
        }
    }

    /// The file's name for one of Hugging Face's; nil where it has none.
    func own(_ name: String) -> String? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        let (stem, kind) = (name[..<dot], name[dot...])
        if let global = globals[String(stem)] { return global + kind }
        guard stem.hasPrefix(layerPrefix) else { return nil }
        let rest = stem.dropFirst(layerPrefix.count)
        guard let end = rest.firstIndex(of: ".") else {
            return layerTensors[String(kind.dropFirst())].map { "blk.\(rest)." + $0 }
        }
        let layer = "blk.\(rest[..<end]).", inLayer = rest[rest.index(after: end)...]
        if let whole = layerTensors["\(inLayer)\(kind)"] { return layer + whole }
        // What Hugging Face names without a kind, llama.cpp calls a weight.
        if let whole = layers["\(inLayer)\(kind)"] { return layer + whole + ".weight" }
        return layers[String(inLayer)].map { layer + $0 + kind }
    }

    /// Whether something reads a tensor of the file, or it follows from what is read.
    func knows(_ tensor: String) -> Bool {
        // Llama's older files hold frequencies that follow from the base.
        if tensor.hasSuffix(".attn_rot_embd.weight") || tensor.hasSuffix(".rope_freqs.weight") { return true }
        let inLayer = tensor.split(separator: ".", maxSplits: 2).dropFirst(2).first
        if tensor.hasPrefix("blk."), let inLayer, layerTensors.values.contains(String(inLayer)) { return true }
        guard let dot = tensor.lastIndex(of: "."), ["weight", "bias"].contains(tensor[tensor.index(after: dot)...])
        else { return false }
        let parts = tensor[..<dot].split(separator: ".", maxSplits: 2)
        if parts.count == 3, parts[0] == "blk" { return layers.values.contains(String(parts[2])) }
        let stem = String(tensor[..<dot])
        return globals.values.contains(stem)
            || ["rope_freqs", "rope_factors_long", "rope_factors_short"].contains(stem)
    }
}

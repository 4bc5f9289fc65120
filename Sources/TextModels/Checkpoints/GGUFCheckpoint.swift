import GGUF
import Layers
import Tensors

/// A GGUF file as a source of weights: its tensors by the names that Hugging Face's checkpoints give them.
///
/// | GGUF                                         | here                                                           |
/// |----------------------------------------------|----------------------------------------------------------------|
/// | `blk.N.attn_q.weight`, …                     | `model.layers.N.self_attn.q_proj.weight`, … (``GGUFLayout``)     |
/// | rows of Llama's queries and keys             | put back: the pairs that RoPE turns stand side by side in the file |
/// | no `output.weight`                           | the embedding is the head                                       |
struct GGUFCheckpoint: Sendable {
    let file: GGUFFile
    private let gguf: GGUFLayout

    init(_ file: GGUFFile, _ gguf: GGUFLayout) { (self.file, self.gguf) = (file, gguf) }

    var metadata: GGUFMetadata { GGUFMetadata(file: file, architecture: gguf.name) }

    /// Checks that nothing in the file is left out: no key that asks for something, no tensor that nothing reads.
    ///
    /// - Throws: `TextModelError` that names the file and the key or the tensor.
    func refuseUnknown() throws(TextModelError) {
        try metadata.refuseUnknownKeys(own: gguf.keys)
        // A tensor that nothing reads would have changed what the model computes.
        let drafting = try draftLayers()
        let unknown = file.header.tensors.keys.sorted().first { name in
            !gguf.knows(name) && !drafting.contains { name.hasPrefix("blk.\($0).") }
        }
        if let unknown {
            throw TextModelError(
                .unsupported,
                "\(file.path): the tensor \"\(unknown)\" is not known for \"\(gguf.name)\" and would be left out")
        }
    }
}

extension GGUFFile {
    /// - Throws: `TextModelError.invalidCheckpoint` that says what is wrong with the file.
    static func opened(_ path: String) throws(TextModelError) -> GGUFFile {
        do throws(TensorError) { return try GGUFFile(path: path) } catch { throw TextModelError(error) }
    }

    /// `general.architecture`.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` where it is missing.
    func architecture() throws(TextModelError) -> String {
        guard let name = header.metadata["general.architecture"]?.text else {
            throw TextModelError(.invalidCheckpoint, "\(path) has no \"general.architecture\"")
        }
        return name
    }
}

extension GGUFCheckpoint {
    /// Layers behind the model's own that draft tokens.
    private func draftLayers() throws(TextModelError) -> Range<Int> {
        let all = try metadata.extent("block_count", in: DecoderShape.Limits.layers)
        return all - (try metadata.extent(GGUFMetadata.draftLayers, in: 0...all - 1, absent: 0))..<all
    }
}

extension GGUFCheckpoint: WeightSource {
    var layout: WeightLayout { .gguf }

    func contains(_ name: String) -> Bool { gguf.own(name).map { file.header.tensors[$0] != nil } ?? false }

    func shape(of name: String) -> [Int]? { gguf.own(name).flatMap { file.header.tensors[$0]?.shape } }

    func tensor(_ name: String, shape: [Int]?, rows: Range<Int>?) throws(TensorError) -> Tensor {
        let tensor = try file.tensor(try own(name), shape: shape, rows: rows)
        guard let order = rowOrder(name, rows: tensor.shape.first ?? 0) else { return tensor }
        // A bias is a column.
        let columns = tensor.shape.count == 1 ? tensor.reshaped(tensor.shape + [1]) : tensor
        return try columns.selectingRows(order).reshaped(tensor.shape)
    }

    func blocks(_ name: String, shape: [Int], rows: Range<Int>?) throws(TensorError) -> BlockMatrix? {
        guard let matrix = try file.blocks(try own(name), shape: shape, rows: rows) else { return nil }
        guard let order = rowOrder(name, rows: shape[0]) else { return matrix }
        return try matrix.reordered(order)
    }

    private func own(_ name: String) throws(TensorError) -> String {
        guard let own = gguf.own(name) else {
            throw TensorError(.missing, "a GGUF file of \(gguf.name) has no tensor for \"\(name)\"")
        }
        return own
    }

    /// A number with which the configuration has been read.
    private func count(_ key: String) -> Int? { (try? metadata.integer(key)) ?? nil }

    /// The order that puts rows back which stand as RoPE's pairs; nil for a tensor whose rows stand as they are. Of such a
    /// tensor all rows are read.
    private func rowOrder(_ name: String, rows: Int) -> [Int]? {
        guard gguf.interleavesRotaryRows, name.contains("self_attn.q_proj.") || name.contains("self_attn.k_proj."),
            let heads = count("attention.head_count"), heads > 0
        else { return nil }
        let kvHeads = count("attention.head_count_kv") ?? heads
        return GGUFLayout.rotaryRowOrder(rows: rows, heads: name.contains("q_proj") ? heads : kvHeads)
    }
}

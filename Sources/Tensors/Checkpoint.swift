import Foundation

/// The tensors of a checkpoint directory: one `model.safetensors`, or the shards that its index names.
package struct Checkpoint: Sendable {
    private struct Index: Decodable {
        var weight_map: [String: String]
    }

    private let files: [SafetensorsFile]
    private let fileOf: [String: Int]
    package let directory: String

    /// - Parameters:
    ///   - directory: where the files are.
    ///   - name: the file's name without its extension: `model`, or `diffusion_pytorch_model`.
    /// - Throws: `TensorError` that names the file.
    package init(directory: String, name: String = "model") throws(TensorError) {
        self.directory = directory
        let single = directory + "/\(name).safetensors"
        let indexPath = directory + "/\(name).safetensors.index.json"
        if !FileManager.default.fileExists(atPath: single), FileManager.default.fileExists(atPath: indexPath) {
            let map = try Self.readIndex(indexPath)
            var files: [SafetensorsFile] = []
            var fileOf: [String: Int] = [:]
            for fileName in Set(map.values).sorted() {
                guard !fileName.contains("/"), fileName != "..", !fileName.isEmpty else {
                    throw TensorError(.malformed, "\(indexPath) names \"\(fileName)\", which is not a file beside it")
                }
                let file = try SafetensorsFile(path: directory + "/" + fileName)
                for (tensor, name) in map where name == fileName { fileOf[tensor] = files.count }
                files.append(file)
            }
            self.files = files
            self.fileOf = fileOf
        } else {
            if !FileManager.default.fileExists(atPath: single) { throw Self.missing(name, in: directory) }
            let file = try SafetensorsFile(path: single)
            files = [file]
            fileOf = file.entries.mapValues { _ in 0 }.merging(file.otherTypes.mapValues { _ in 0 }) { first, _ in first
            }
        }
    }

    /// What is there in the place of the weights.
    private static func missing(_ name: String, in directory: String) -> TensorError {
        let kinds = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".onnx", ".npz", ".index.json"]
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
            .filter { file in kinds.contains { file.hasSuffix($0) } && !file.hasPrefix("tokenizer") }.sorted()
        let there =
            names.isEmpty
            ? "no weights are there"
            : "there are \(names.prefix(8).joined(separator: ", "))\(names.count > 8 ? ", …" : "")"
        let convert =
            names.contains { $0.hasSuffix(".safetensors") }
            ? "rename the file, or write an index of its tensors"
            : "weights are read from safetensors and GGUF; save the model again with save_pretrained"
        return TensorError(
            .missing,
            "\(directory) has no \(name).safetensors and no \(name).safetensors.index.json: \(there); \(convert)")
    }

    private static func readIndex(_ path: String) throws(TensorError) -> [String: String] {
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            return try JSONDecoder().decode(Index.self, from: data).weight_map
        } catch {
            throw TensorError(.malformed, "\(path) is not a safetensors index: it needs a \"weight_map\" of names")
        }
    }

    package var names: some Sequence<String> { fileOf.keys }

    package func contains(_ name: String) -> Bool { fileOf[name] != nil }

    /// A tensor's shape without reading it.
    package func shape(of name: String) -> [Int]? { fileOf[name].flatMap { files[$0].entries[name]?.shape } }

    /// A tensor's type without reading it.
    package func dtype(of name: String) -> DType? { fileOf[name].flatMap { files[$0].entries[name]?.dtype } }

    /// - Throws: `TensorError` as `SafetensorsFile.tensor`.
    package func tensor(
        _ name: String, shape: [Int]? = nil, rows: Range<Int>? = nil
    ) throws(TensorError) -> Tensor {
        guard let file = fileOf[name] else {
            throw TensorError(.missing, "the checkpoint in \(directory) has no tensor \"\(name)\"")
        }
        if let type = files[file].otherTypes[name] {
            throw TensorError(
                .mismatch,
                "tensor \"\(name)\" of the checkpoint in \(directory) is \(type), which is not read; known: F32, F16, BF16 "
                    + "(save the model in one of them)")
        }
        return try files[file].tensor(name, shape: shape, rows: rows)
    }
}

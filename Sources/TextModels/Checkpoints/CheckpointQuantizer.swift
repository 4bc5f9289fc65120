import Foundation
import GGUF
package import Layers
package import Tensors

/// Writes a checkpoint's matrices as whole numbers in groups of 64 inputs: `name` in 8 or 4 bits, outputs first, and
/// `name.scales` beside it. Everything else stays as it is.
package enum CheckpointQuantizer {
    /// What was written.
    package struct Result: Sendable {
        package var matrices: Int
        package var bytesBefore: Int
        package var bytesAfter: Int
    }

    /// - Parameters:
    ///   - precision: int8 or int4.
    ///   - output: a directory that does not exist yet; it appears whole or not at all.
    /// - Throws: `TextModelError`, which names the file or tensor at fault.
    package static func quantize(
        directory: String, to precision: Precision, output: String, on device: Device
    ) throws(TextModelError) -> Result {
        precondition(precision == .int8 || precision == .int4, "cannot quantize to \(precision)")
        let files = FileManager.default
        guard !files.fileExists(atPath: output) else {
            throw TextModelError(.invalidRequest, "\(output) exists; name a directory that does not")
        }
        if let file = try? GGUFLocation.file(at: directory) {
            throw TextModelError(
                .invalidRequest, "\(file) is run as it is; quantize starts from a checkpoint of safetensors")
        }
        if try QuantizationConfiguration.format(try ConfigurationFile(path: directory + "/config.json")) != nil {
            throw TextModelError(
                .invalidRequest,
                "\(directory) is quantized already, and is run as it is; start from the checkpoint it was")
        }
        let recorder = QuantizedRecorder()
        _ = try TextModelLoader.load(directory: directory, precision: precision, recorder: recorder, on: device)
        guard !recorder.recorded.isEmpty else {
            throw TextModelError(.invalidRequest, "\(directory) is quantized already; start from the checkpoint it was")
        }
        let partial = output + ".partial-\(ProcessInfo.processInfo.processIdentifier)"
        do {
            try files.createDirectory(atPath: partial, withIntermediateDirectories: true)
            let checkpoint = try Checkpoint(directory: directory)
            let result = try writeTensors(checkpoint, recorder.recorded, to: partial + "/model.safetensors")
            try copyOthers(from: directory, to: partial, precision)
            try files.moveItem(atPath: partial, toPath: output)
            return result
        } catch {
            try? files.removeItem(atPath: partial)
            if let error = error as? TensorError { throw TextModelError(error) }
            throw TextModelError(.invalidCheckpoint, "cannot write \(output): \(error.localizedDescription)")
        }
    }

    private static func writeTensors(
        _ checkpoint: Checkpoint, _ quantized: [String: GroupedWeights], to path: String
    ) throws(TensorError) -> Result {
        var plan: [String: (dtype: DType, shape: [Int])] = [:]
        var before = 0
        for name in checkpoint.names {
            guard let dtype = checkpoint.dtype(of: name), let shape = checkpoint.shape(of: name) else { continue }
            before += shape.reduce(dtype.size, *)
            guard let weights = quantized[name] else {
                plan[name] = (dtype, shape)
                continue
            }
            let width = weights.values.width
            plan[name] =
                weights.format.bits == 8 ? (.i8, [weights.columns, width]) : (.u8, [weights.columns, width / 2])
            plan[name + GroupedWeights.scalesSuffix] = (.f32, weights.scales.shape)
        }
        try SafetensorsWriter.write(plan, to: path) { name throws(TensorError) in
            if let weights = quantized[name] { return try weights.stored() }
            let owner = String(name.dropLast(GroupedWeights.scalesSuffix.count))
            if name.hasSuffix(GroupedWeights.scalesSuffix), let weights = quantized[owner] { return weights.scales }
            return try checkpoint.tensor(name)
        }
        let after = plan.values.reduce(0) { $0 + $1.shape.reduce($1.dtype.size, *) }
        return Result(matrices: quantized.count, bytesBefore: before, bytesAfter: after)
    }

    /// Configuration and tokenizer; the weights' own files are left behind.
    private static func copyOthers(from directory: String, to output: String, _ precision: Precision) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
            let isWeights = [".safetensors", ".safetensors.index.json", ".bin", ".pth", ".pt", ".gguf"]
                .contains { name.hasSuffix($0) }
            // A link counts as what it points to.
            let file = URL(fileURLWithPath: directory + "/" + name).resolvingSymlinksInPath()
            let isRegular = try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile ?? false
            guard !isWeights, isRegular, name != "config.json" else { continue }
            try Data(contentsOf: file)
                .write(to: URL(fileURLWithPath: output + "/" + name))
        }
        let path = URL(fileURLWithPath: directory + "/config.json")
        var configuration =
            try JSONSerialization.jsonObject(with: Data(contentsOf: path)) as? [String: Any] ?? [:]
        configuration["quantization_config"] = [
            "quant_method": "nephele", "bits": precision == .int8 ? 8 : 4, "group_size": 64,
        ]
        try JSONSerialization.data(withJSONObject: configuration, options: [.prettyPrinted, .sortedKeys])
            .write(to: URL(fileURLWithPath: output + "/config.json"))
    }
}

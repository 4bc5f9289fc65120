import GGUF
package import Layers
import Tensors

/// What a checkpoint's weights take in memory, by what its files say of them.
package enum CheckpointSize {
    /// - Returns: bytes; a little less than it will be, for padding.
    /// - Throws: `TextModelError` that names the file.
    package static func weights(directory: String, precision: Precision) throws(TextModelError) -> Int {
        do {
            if let file = try GGUFLocation.file(at: directory) {
                // Blocks are computed with as they are.
                return try GGUFFile(path: file).header.tensors.values.reduce(0) { $0 + $1.byteCount }
            }
            let checkpoint = try Checkpoint(directory: directory)
            return checkpoint.names.reduce(0) { total, name in
                let count = (checkpoint.shape(of: name) ?? []).reduce(1, *)
                return total + count * sixteenths(precision, own: checkpoint.dtype(of: name)) / 16
            }
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch let error as TextModelError {
            throw error
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(directory)")
        }
    }

    /// The size of one number with its share of a scale, in sixteenths of a byte.
    private static func sixteenths(_ precision: Precision, own: DType?) -> Int {
        // What others quantized is held as it is.
        if let own, ![.f32, .f16, .bf16].contains(own) { return 16 * own.size }
        return switch precision {
        case .auto: 16 * (own?.size ?? DType.f32.size)
        case .f32: 64
        case .bf16, .f16: 32
        case .int8: 18
        case .int4: 10
        }
    }
}

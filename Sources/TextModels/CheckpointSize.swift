import Foundation
import GGUF
import Tensors

/// What a checkpoint's weights are going to take in memory, told before they are read.
package enum CheckpointSize {
    /// In bytes, by the extents that the files tell; packing pads it a little.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` when a file cannot be read.
    package static func weights(directory: String, precision: Precision) throws(TextModelError) -> Int {
        do {
            if let file = try GGUFLocation.file(at: directory) {
                let bytes = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
                // Blocks have at least four bits a weight.
                return precision == .auto ? bytes : min(bytes * 2, Int.max / 16) * bits(precision, stored: .f32) / 8
            }
            let checkpoint = try Checkpoint(directory: directory)
            return checkpoint.names.reduce(0) { sum, name in
                let count = (checkpoint.shape(of: name) ?? []).reduce(1, *)
                return sum + count * bits(precision, stored: checkpoint.dtype(of: name) ?? .f32) / 8
            }
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch {
            throw TextModelError(.invalidCheckpoint, "\(error)")
        }
    }

    /// Of one weight, scales included.
    private static func bits(_ precision: Precision, stored: DType) -> Int {
        switch precision {
        case .auto: stored.size * 8
        case .f32: 32
        case .bf16, .f16: 16
        case .int8: 9
        case .int4: 5
        }
    }
}

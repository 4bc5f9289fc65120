import Foundation
import Tensors

/// Files that are there whole, or not at all, whenever the process ends.
enum DurableFile {
    /// Writes beside the file, and then puts that in the file's place.
    ///
    /// - Throws: `TrainingError.unwritable`; the file is what it was.
    static func write(_ data: Data, to path: String) throws(TrainingError) {
        do { try data.write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw unwritable(path, error.localizedDescription)
        }
    }

    /// Writes a safetensors file in the same way, a tensor at a time.
    ///
    /// - Throws: `TrainingError.unwritable`; the file is what it was.
    static func write(_ tensors: [String: Tensor], to path: String) throws(TrainingError) {
        try write(tensors.mapValues { ($0.dtype, $0.shape) }, to: path) { name throws(TensorError) in
            guard let tensor = tensors[name] else { throw TensorError(.missing, "no tensor \"\(name)\" was planned") }
            return tensor
        }
    }

    /// - Parameters:
    ///   - plan: type and shape of each tensor.
    ///   - tensor: that of a name, made when it is written.
    /// - Throws: `TrainingError.unwritable`; the file is what it was.
    static func write(
        _ plan: [String: (dtype: DType, shape: [Int])], to path: String, tensor: (String) throws(TensorError) -> Tensor
    ) throws(TrainingError) {
        do { try SafetensorsWriter.replace(plan, at: path, tensor: tensor) } catch {
            throw error.code == .unwritable ? unwritable(path, error.message) : TrainingError(error)
        }
    }

    private static func unwritable(_ path: String, _ reason: String) -> TrainingError {
        TrainingError(.unwritable, "cannot write \(path), and what stood there is untouched: \(reason)")
    }
}

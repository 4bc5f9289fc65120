import Crypto
import Foundation

/// The identity of a drawing's arithmetic: instances with equal ids draw the same pictures from the same seeds.
package enum PictureNumericsID {
    /// Changes whenever a kernel's order of additions does.
    static let kernelOrderVersion = "1"

    /// SHA-256 over a diffusers directory's configurations and weights, in hexadecimal.
    ///
    /// - Throws: `DiffusionError.invalidCheckpoint` when a file cannot be read.
    package static func compute(directory: String) throws(DiffusionError) -> String {
        var digest = SHA256()
        digest.update(data: Data("kernels \(kernelOrderVersion), f32".utf8))
        do {
            let paths = try FileManager.default.subpathsOfDirectory(atPath: directory).sorted()
            for path in paths where path.hasSuffix(".safetensors") || path.hasSuffix(".json") {
                digest.update(data: Data(path.utf8))
                let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory + "/" + path))
                defer { try? handle.close() }
                while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { digest.update(data: data) }
            }
        } catch {
            throw DiffusionError(.invalidCheckpoint, "cannot read \(directory): \(error.localizedDescription)")
        }
        return digest.finalize().map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

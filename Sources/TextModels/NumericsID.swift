import Crypto
import Foundation

/// The identity of a generation's arithmetic: instances with equal ids continue each other's work.
package enum NumericsID {
    /// Changes whenever a kernel's order of additions does.
    static let kernelOrderVersion = "1"

    /// SHA-256 over configuration, weights, tokenizer hash, precision and kernel order, in hexadecimal.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` when a file cannot be read.
    package static func compute(directory: String, tokenizerHash: String) throws(TextModelError) -> String {
        var digest = SHA256()
        digest.update(
            data: Data("kernels \(kernelOrderVersion), f32 weights, f32 cache, tokenizer \(tokenizerHash)".utf8))
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            for name in names where name.hasSuffix(".safetensors") || name == "config.json" {
                digest.update(data: Data(name.utf8))
                let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory + "/" + name))
                defer { try? handle.close() }
                while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { digest.update(data: data) }
            }
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(directory): \(error.localizedDescription)")
        }
        return digest.finalize().map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

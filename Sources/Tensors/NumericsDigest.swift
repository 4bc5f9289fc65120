internal import Crypto
internal import Foundation

/// The identity of an arithmetic, built from everything that it depends on: equal identities compute equal bits.
package struct NumericsDigest {
    /// Changes whenever a kernel's order of additions does, or the sampler's.
    private static let orderVersion = "2"

    private var digest = SHA256()

    /// - Parameter kind: what else sets it apart: precision, tokenizer, cache type.
    package init(_ kind: String) { digest.update(data: Data("order \(Self.orderVersion), \(kind)".utf8)) }

    /// Takes in the files of a checkpoint by name and content, in the order of their names.
    ///
    /// - Throws: `TensorError.unreadable` when the directory or a file cannot be read.
    package mutating func add(directory: String, where isPart: (String) -> Bool) throws(TensorError) {
        do {
            for path in try FileManager.default.subpathsOfDirectory(atPath: directory).sorted() where isPart(path) {
                digest.update(data: Data(path.utf8))
                let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory + "/" + path))
                defer { try? handle.close() }
                while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { digest.update(data: data) }
            }
        } catch {
            throw TensorError(.unreadable, "cannot read \(directory): \(error.localizedDescription)")
        }
    }

    /// Takes in a tensor by name, type, shape and content.
    package mutating func add(_ name: String, _ tensor: Tensor) {
        digest.update(data: Data("\(name) \(tensor.dtype.rawValue) \(tensor.shape)".utf8))
        withExtendedLifetime(tensor) {
            digest.update(
                bufferPointer: UnsafeRawBufferPointer(start: tensor.raw, count: tensor.count * tensor.dtype.size))
        }
    }

    /// SHA-256 of all that was added, in hexadecimal.
    package consuming func finish() -> String {
        digest.finalize().map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

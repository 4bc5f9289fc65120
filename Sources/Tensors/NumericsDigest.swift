internal import Crypto
internal import Foundation

/// The identity of an arithmetic, built from everything that it depends on: equal identities compute equal bits.
package struct NumericsDigest {
    /// Changes whenever a kernel's order of additions does, or the sampler's, or what is computed of a checkpoint.
    private static let orderVersion = "3"

    private var digest = SHA256()
    private let cache: CacheDirectory?

    /// - Parameters:
    ///   - kind: what else sets it apart: precision, tokenizer, cache type.
    ///   - cache: remembers the digests of files, so that an unchanged file is not read again.
    package init(_ kind: String, cache: CacheDirectory? = nil) {
        self.cache = cache
        digest.update(data: Data("order \(Self.orderVersion), \(kind)".utf8))
    }

    /// Takes in the files of a checkpoint by name and content, in the order of their names.
    ///
    /// - Throws: `TensorError.unreadable` when the directory or a file cannot be read.
    package mutating func add(directory: String, where isPart: (String) -> Bool) throws(TensorError) {
        // Foundation lists nothing of what a link leads to.
        let directory = URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
        let paths: [String]
        do {
            paths = try FileManager.default.subpathsOfDirectory(atPath: directory).sorted().filter(isPart)
        } catch {
            throw TensorError(.unreadable, "cannot read \(directory): \(error.localizedDescription)")
        }
        guard !paths.isEmpty else { throw TensorError(.missing, "\(directory) holds no file of a checkpoint") }
        for path in paths {
            digest.update(data: Data(path.utf8))
            try add(file: directory + "/" + path)
        }
    }

    /// Takes in one file by its content.
    ///
    /// - Throws: `TensorError.unreadable` when it cannot be read.
    package mutating func add(file: String) throws(TensorError) {
        do { digest.update(data: Data(try FileDigest.compute(file, cache: cache).utf8)) } catch {
            throw TensorError(.unreadable, "cannot read \(file): \(error.localizedDescription)")
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
    package consuming func finish() -> String { FileDigest.hexadecimal(digest.finalize()) }
}

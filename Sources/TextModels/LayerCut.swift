import GGUF
package import Layers
import Tensors

/// Where a model is cut into shards.
package enum LayerCut {
    /// Cuts a checkpoint so that its heaviest shard is as light as can be, by the bytes of its file. Embedding, final
    /// norm and head are the first shard's.
    ///
    /// - Throws: `TextModelError` that names the file; `.invalidRequest` for more shards than layers.
    package static func balanced(
        directory: String, precision: Precision = .auto, shards: Int
    ) throws(TextModelError) -> [Range<Int>] {
        let sizes: [String: Int]
        do {
            if let file = try GGUFLocation.file(at: directory) {
                sizes = try Architectures.read(gguf: file).1.byteCounts
            } else {
                sizes = try Checkpoint(directory: directory).byteCounts
            }
        } catch let error as TextModelError {
            throw error
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(directory)")
        }
        var layers: [Int: Int] = [:]
        var ends = 0
        for (name, size) in sizes {
            if let layer = layer(of: name) { layers[layer, default: 0] += size } else { ends += size }
        }
        // What is in the vocabulary keeps 8 bits.
        if precision == .int4 { ends *= 2 }
        let count = (layers.keys.max() ?? -1) + 1
        guard (1...max(1, count)).contains(shards), count > 0, count <= 1_024 else {
            throw TextModelError(.invalidRequest, "\(directory) has \(count) layers; they do not make \(shards) shards")
        }
        return balanced((0..<count).map { layers[$0] ?? 0 }, ends: ends, shards: shards)
    }

    /// - Parameters:
    ///   - layers: what each weighs.
    ///   - ends: what the first shard has besides.
    package static func balanced(_ layers: [Int], ends: Int, shards: Int) -> [Range<Int>] {
        var (low, high) = (0, layers.reduce(ends, +))
        while low < high {
            let limit = (low + high) / 2
            if fill(layers, ends: ends, shards: shards, limit: limit) != nil { high = limit } else { low = limit + 1 }
        }
        return fill(layers, ends: ends, shards: shards, limit: high) ?? [0..<layers.count]
    }

    /// Fills shards up to a limit, from the last to the first, each with a layer at least; nil when the first one's
    /// is too much.
    private static func fill(_ layers: [Int], ends: Int, shards: Int, limit: Int) -> [Range<Int>]? {
        var cut: [Range<Int>] = []
        var end = layers.count
        for shard in (1..<shards).reversed() {
            var start = end - 1
            var weight = layers[start]
            guard weight <= limit else { return nil }
            // Every shard before needs a layer too.
            while start > shard, weight + layers[start - 1] <= limit {
                start -= 1
                weight += layers[start]
            }
            cut.insert(start..<end, at: 0)
            end = start
        }
        guard layers[..<end].reduce(ends, +) <= limit else { return nil }
        return [0..<end] + cut
    }

    /// The layer that a tensor or a module is in, by its name in any kind of file.
    static func layer(of name: String) -> Int? {
        let parts = name.split(separator: ".")
        guard let index = parts.firstIndex(where: { ["layers", "h", "blk"].contains($0) }), index + 1 < parts.count
        else { return nil }
        return Int(parts[index + 1]).flatMap { $0 >= 0 ? $0 : nil }
    }
}

extension Checkpoint {
    /// By tensor.
    fileprivate var byteCounts: [String: Int] {
        Dictionary(
            names.map { ($0, (shape(of: $0) ?? []).reduce(dtype(of: $0)?.size ?? 0, *)) }, uniquingKeysWith: +)
    }
}

extension GGUFCheckpoint {
    /// By tensor.
    fileprivate var byteCounts: [String: Int] { file.header.tensors.mapValues(\.byteCount) }
}

import EmbeddedModels
import Foundation
import Synchronization
import Testing

/// Two checkpoints of the embedded text model, alike but for the final norm, and a link to one of them that can be
/// turned while it is in use.
final class TwoRevisions: Sendable {
    let link: String
    private let directories: [String]
    private let current = Mutex(0)

    init(in folder: String) throws {
        let original = try #require(EmbeddedModels.directory(of: EmbeddedModels.text))
        directories = ["a", "b"].map { folder + "/verse-" + $0 }
        for directory in directories { try FileManager.default.copyItem(atPath: original, toPath: directory) }
        try Self.turnNorm(directories[1] + "/model.safetensors")
        link = folder + "/nephele-verse"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directories[0])
    }

    /// The link names the other one.
    func turn() throws {
        try current.withLock { current in
            current = 1 - current
            try FileManager.default.removeItem(atPath: link)
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directories[current])
        }
    }

    /// Turns the order of the final norm's weights round.
    private static func turnNorm(_ path: String) throws {
        struct Field: Decodable {
            var shape: [Int]
            var data_offsets: [Int]
        }
        struct Entry: Decodable {
            var field: Field?
            init(from decoder: any Decoder) throws { field = try? Field(from: decoder) }
        }
        var file = try Data(contentsOf: URL(fileURLWithPath: path))
        let size = (0..<8).reduce(0) { $0 | Int(file[$1]) << (8 * $1) }
        let header = try JSONDecoder().decode([String: Entry].self, from: file[8..<8 + size])
        let norm = try #require(header["model.norm.weight"]?.field)
        let (start, end) = (8 + size + norm.data_offsets[0], 8 + size + norm.data_offsets[1])
        let width = (end - start) / norm.shape.reduce(1, *)
        let weights = stride(from: start, to: end, by: width).map { file[$0..<$0 + width] }
        file.replaceSubrange(start..<end, with: weights.reversed().flatMap { $0 })
        try file.write(to: URL(fileURLWithPath: path))
    }
}

internal import Foundation
package import Tensors
package import TextGeneration
import TextModels

/// The logits of a text's every position, in NumPy's format: `[tokens, vocabulary]` of little-endian f32. For comparing
/// distributions of the next token with those of another implementation.
package enum LogitsFile {
    /// Writes the file, window by window; each window is a text of its own.
    ///
    /// - Parameters:
    ///   - window: tokens that the model sees together; its context at most.
    ///   - limit: windows, at most. The last one may be shorter.
    /// - Returns: the tokens.
    /// - Throws: `TensorError`, and what Foundation says of a file that cannot be written.
    package static func write(
        _ loaded: LoadedModel, text: String, window: Int, limit: Int, cachePrecision: CachePrecision,
        to path: String, on device: Device
    ) throws -> [Int32] {
        let shape = loaded.model.shape, window = min(window, shape.context)
        let tokens = Array(loaded.tokenizer.encode(text, addSpecialTokens: false).prefix(window * limit))
        guard FileManager.default.createFile(atPath: path, contents: header(tokens.count, shape.vocabulary)) else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seekToEnd()
        for start in stride(from: 0, to: tokens.count, by: window) {
            let own = Array(tokens[start..<min(start + window, tokens.count)])
            let hidden = try loaded.model.read(own, cachePrecision: cachePrecision, on: device)
            for row in stride(from: 0, to: hidden.rowCount, by: portion) {
                let rows = row..<min(row + portion, hidden.rowCount)
                try file.write(contentsOf: Data(try loaded.model.logits(hidden.rows(rows), on: device).bytes))
            }
        }
        return tokens
    }

    /// Rows whose logits are in memory together.
    private static let portion = 64

    /// Version 1.0 of the format: its magic number, a length, and a Python literal filled up to a multiple of 64 bytes.
    private static func header(_ rows: Int, _ width: Int) -> Data {
        var text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), \(width)), }"
        text += String(repeating: " ", count: 63 - (10 + text.utf8.count) % 64) + "\n"
        let count = text.utf8.count
        return Data([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(count & 255), UInt8(count >> 8)] + Array(text.utf8))
    }
}

import Foundation
import JSON
import Tensors
package import Tokenizers

/// The tokens of texts one behind the other, each text ended by the end token, and the sequences that they are cut into.
///
/// Sequence i is read from token i·T to i·T + T − 1, and predicts the tokens from i·T + 1 to i·T + T: each token but the
/// first is predicted once. Tokens behind the last whole sequence are left out.
package struct TokenStream: Sendable {
    /// Where a text begins.
    private struct Document {
        var start: Int
        var file: Int
        /// The line's number in its file, from 1; nil where the file is one text.
        var line: Int?
    }

    private let paths: [String]
    private var tokens: [Int32] = []
    private var documents: [Document] = []
    /// T.
    package let context: Int
    /// Whether rows see their own text only, from position 0 on; otherwise a sequence is read as one text.
    package let separatesDocuments: Bool

    /// - Parameters:
    ///   - paths: `.jsonl` files have an object with a `text` on each line; others are one text of UTF-8 each.
    ///   - vocabulary: tokens that the model knows.
    ///   - context: T.
    /// - Throws: `TrainingError` that names the file, and the lines at fault.
    package init(
        _ paths: [String], _ tokenizer: Tokenizer, vocabulary: Int, context: Int, separatesDocuments: Bool
    ) throws(TrainingError) {
        (self.paths, self.context, self.separatesDocuments) = (paths, context, separatesDocuments)
        let encoder = try SampleEncoder(tokenizer, vocabulary: vocabulary)
        for (index, path) in paths.enumerated() {
            if path.hasSuffix(".jsonl") {
                try JSONLines.read(path) { object, number throws(SampleEncoder.Fault) in
                    let text = try SampleFields(object).text("text")
                    try append(try encoder.document(text), file: index, line: number)
                }
            } else {
                do throws(SampleEncoder.Fault) {
                    try append(try encoder.document(try Self.text(path)), file: index, line: nil)
                } catch { throw TrainingError(.invalidData, "\(path): \(error.clause)") }
            }
        }
        guard tokens.count > context else {
            throw TrainingError(
                .invalidData,
                "the data has \(tokens.count) tokens; a sequence takes \(context) and the one behind them: give more data, "
                    + "or a shorter context")
        }
    }

    private mutating func append(_ ids: [Int32], file: Int, line: Int?) throws(SampleEncoder.Fault) {
        documents.append(Document(start: tokens.count, file: file, line: line))
        tokens += ids
    }

    private static func text(_ path: String) throws(SampleEncoder.Fault) -> String {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
            throw .init("cannot be read: \(error.localizedDescription)")
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw .init("is not UTF-8") }
        guard !text.isEmpty else { throw .init("is empty") }
        return text
    }

    package var tokenCount: Int { tokens.count }
    package var documentCount: Int { documents.count }

    /// Whole sequences.
    package var count: Int { (tokens.count - 1) / context }

    /// What a sequence is read as: one text, or several that do not see each other, and what their rows must predict.
    func texts(of sequence: Int) -> [PassText] {
        let range = sequence * context..<(sequence + 1) * context
        guard separatesDocuments else {
            return [PassText(ids: Array(tokens[range]), next: Array(tokens[range.lowerBound + 1...range.upperBound]))]
        }
        let inner = firstDocument(after: range.lowerBound)..<firstDocument(after: range.upperBound - 1)
        let starts = [range.lowerBound] + documents[inner].map(\.start)
        return starts.indices.map { index in
            let end = index + 1 < starts.count ? starts[index + 1] : range.upperBound
            let ids = Array(tokens[starts[index]..<end])
            // What follows a text's end token is another text, which nothing says.
            let follows = end < tokens.count && !isStart(end)
            return PassText(ids: ids, next: Array(ids.dropFirst()) + (follows ? [tokens[end]] : []))
        }
    }

    /// The number of the first document that begins behind a token.
    private func firstDocument(after token: Int) -> Int {
        var (low, high) = (0, documents.count)
        while low < high {
            let middle = (low + high) / 2
            if documents[middle].start <= token { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func isStart(_ token: Int) -> Bool {
        let before = firstDocument(after: token) - 1
        return before >= 0 && documents[before].start == token
    }

    /// Where a sequence stands in the files, for errors.
    func place(of sequence: Int) -> String {
        let first = documents[firstDocument(after: sequence * context) - 1]
        let last = documents[firstDocument(after: (sequence + 1) * context) - 1]
        func name(_ document: Document) -> String {
            document.line.map { "\(paths[document.file]) line \($0)" } ?? paths[document.file]
        }
        let (from, to) = (name(first), name(last))
        return "sequence \(sequence + 1) (\(from == to ? from : "\(from) to \(to)"))"
    }

    /// What identifies the tokens and where texts begin.
    func identity() throws(TensorError) -> String {
        var digest = NumericsDigest("tokens, \(context), \(separatesDocuments)")
        func add(_ name: String, _ numbers: some Sequence<Int>) throws(TensorError) {
            let numbers = numbers.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) }
            digest.add(name, try Tensor(numbers, shape: [numbers.count]))
        }
        for first in stride(from: 0, to: tokens.count, by: 1 << 20) {
            try add("tokens", tokens[first..<min(first + 1 << 20, tokens.count)].lazy.map { Int($0) })
        }
        if separatesDocuments { try add("starts", documents.lazy.map(\.start)) }
        return digest.finish()
    }
}

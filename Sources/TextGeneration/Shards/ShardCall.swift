package import Tensors
package import TextModels

/// Rows of the residual stream on their way through the layers of a later shard.
///
/// A call can be repeated: it says which positions its rows have, and a shard that has computed them before computes
/// them again, to the same bits.
package struct ShardCall: Sendable {
    /// The rows of one sequence.
    package struct Part: Sendable, Hashable {
        /// Numbered by whoever calls.
        package var sequence: UInt64
        /// The first row's position.
        package var start: Int
        package var count: Int
        /// The last so many rows are wanted back.
        package var outputs: Int
        /// The rows' tokens, or those of all positions from the first one on, for a shard that may not know the
        /// sequence. A shard computes nothing from them: they tell which pages are equal.
        package var tokens: [Int32]
        /// What the rows depend on besides the tokens.
        package var root: String
        /// The content id of the adapter that changes the rows; empty for none.
        package var adapter: String
        /// The first so many rows are sure to be right; those behind were drafted.
        package var taken: Int
        /// The rows after which recurrent states are worth a copy; nil for none.
        package var checkpoint: Checkpoint?

        package struct Checkpoint: Sendable, Hashable {
            package var rows: Int
            /// Whether it stays when the sequence goes on.
            package var lasts: Bool

            package init(rows: Int, lasts: Bool) { (self.rows, self.lasts) = (rows, lasts) }
        }

        /// - Parameter taken: all by default.
        package init(
            sequence: UInt64, start: Int, count: Int, outputs: Int, tokens: [Int32], root: String,
            adapter: String = "", taken: Int? = nil, checkpoint: Checkpoint? = nil
        ) {
            (self.sequence, self.start, self.count, self.outputs) = (sequence, start, count, outputs)
            (self.tokens, self.root, self.adapter) = (tokens, root, adapter)
            (self.taken, self.checkpoint) = (taken ?? count, checkpoint)
        }

        var end: Int { start + count }
        var hasAllTokens: Bool { tokens.count == end }
        var rowTokens: ArraySlice<Int32> { tokens.suffix(count) }
    }

    package let parts: [Part]
    /// The rows of all parts, one after the other: `[R, C]`.
    package let rows: Tensor

    /// Sequences and rows of a call, at most.
    package static let partLimit = 4_096
    package static let rowLimit = 16_384

    /// The adapters of its sequences, by content id.
    package var adapters: Set<String> { Set(parts.map(\.adapter)).subtracting([""]) }

    /// Rows wanted back.
    package var outputCount: Int { parts.reduce(0) { $0 + $1.outputs } }

    init(parts: [Part], rows: Tensor) { (self.parts, self.rows) = (parts, rows) }

    /// Checks what came from outside.
    ///
    /// - Parameter rows: makes the tensor of the shape that the parts need.
    /// - Throws: `TextModelError.invalidRequest` that names the field; whatever `rows` throws.
    package init(
        checking parts: [Part], shape: DecoderShape, rows: (_ shape: [Int]) throws -> Tensor
    ) throws {
        guard (1...Self.partLimit).contains(parts.count) else {
            throw Self.invalid("\(parts.count) sequences; a call has 1 to \(Self.partLimit)")
        }
        guard Set(parts.map(\.sequence)).count == parts.count else { throw Self.invalid("a sequence comes twice") }
        var count = 0
        for part in parts {
            try Self.check(part, shape)
            count += part.count
        }
        guard count <= Self.rowLimit else { throw Self.invalid("\(count) rows; a call has at most \(Self.rowLimit)") }
        self.init(parts: parts, rows: try rows([count, shape.hidden]))
    }

    private static func check(_ part: Part, _ shape: DecoderShape) throws(TextModelError) {
        guard (0..<shape.context).contains(part.start), (1...shape.context).contains(part.count),
            part.end <= shape.context
        else {
            throw invalid("\(part.count) rows from position \(part.start); the model's context is \(shape.context)")
        }
        guard (0...part.count).contains(part.outputs) else {
            throw invalid("\(part.outputs) of \(part.count) rows are wanted back")
        }
        guard (1...part.count).contains(part.taken),
            part.checkpoint.map({ (1...part.taken).contains($0.rows) }) ?? true
        else {
            throw invalid(
                "\(part.taken) of \(part.count) rows are sure, with a checkpoint after \(part.checkpoint?.rows ?? 0)")
        }
        guard part.hasAllTokens || part.tokens.count == part.count else {
            throw invalid("\(part.tokens.count) tokens for positions \(part.start) to \(part.end - 1)")
        }
        if let id = part.tokens.first(where: { $0 < 0 || Int($0) >= shape.vocabulary }) {
            throw invalid("token id \(id) lies outside the vocabulary of \(shape.vocabulary)")
        }
        guard part.adapter.utf8.count <= 64 else {
            throw invalid("an adapter's id of \(part.adapter.utf8.count) bytes")
        }
        guard part.root.utf8.count <= 1_024 else { throw invalid("a root of \(part.root.utf8.count) bytes") }
    }

    private static func invalid(_ what: String) -> TextModelError {
        TextModelError(.invalidRequest, what, field: "sequences")
    }
}

/// What a later shard says to a call.
package enum ShardAnswer: Sendable {
    /// The rows that were wanted back, after the shard's layers: `[outputs, C]`.
    case rows(Tensor)
    /// Nothing was computed, since these sequences lack the keys and values before their rows: how many positions of
    /// each are there; nil for a sequence that is not known.
    case missing([UInt64: Int?])
}

internal import CMessages

/// The service of a model's later layers.
package enum TextShardMethods {
    package static let service = ServiceSchema(nephele__v1__text_shard__descriptor)
    package static let forward = Method<ForwardRequest, ForwardReply>(service, "Forward", .unary)
    package static let release = Method<ReleaseRequest, ReleaseReply>(service, "Release", .unary)
}

/// Rows for the layers of a shard; the rows themselves, f32, are the attachment. Ranges are checked by the shard.
package struct ForwardRequest: BusMessage {
    /// Who numbers the sequences.
    package var owner: String
    package var sequences: [ShardRows]

    package init(owner: String, sequences: [ShardRows]) { (self.owner, self.sequences) = (owner, sequences) }

    package static let codec = MessageCodec(Self.self)
}

extension ForwardRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ForwardRequest>) {
        nephele__v1__forward_request__init(c)
    }

    init(reading c: Nephele__V1__ForwardRequest) throws {
        owner = try c.owner.text("owner")
        sequences = try readAll(ShardRows.self, c.sequences, c.n_sequences)
    }

    func write(to c: inout Nephele__V1__ForwardRequest, in arena: inout Arena) {
        (c.has_owner, c.owner) = (1, arena.text(owner))
        c.n_sequences = sequences.count
        c.sequences = arena.messages(sequences)
    }
}

/// The rows of one sequence.
package struct ShardRows: Sendable, Equatable {
    package var sequence: UInt64
    /// The first row's position.
    package var start: UInt32
    package var count: UInt32
    /// The last so many rows are wanted back.
    package var outputs: UInt32
    /// The rows' tokens, or those of all positions up to the last row.
    package var tokens: [Int32]
    /// What the rows depend on besides the tokens.
    package var root: String

    package init(sequence: UInt64, start: UInt32, count: UInt32, outputs: UInt32, tokens: [Int32], root: String = "") {
        (self.sequence, self.start, self.count, self.outputs) = (sequence, start, count, outputs)
        (self.tokens, self.root) = (tokens, root)
    }
}

extension ShardRows: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ShardRows>) { nephele__v1__shard_rows__init(c) }

    init(reading c: Nephele__V1__ShardRows) throws {
        (sequence, start, count, outputs) = (c.sequence, c.start, c.count, c.outputs)
        tokens = readAll(c.tokens, c.n_tokens)
        root = try c.root.text("root")
    }

    func write(to c: inout Nephele__V1__ShardRows, in arena: inout Arena) {
        (c.has_sequence, c.sequence) = (1, sequence)
        (c.has_start, c.start) = (1, start)
        (c.has_count, c.count) = (1, count)
        (c.has_outputs, c.outputs) = (1, outputs)
        c.n_tokens = tokens.count
        c.tokens = arena.numbers(tokens)
        (c.has_root, c.root) = (1, arena.text(root))
    }
}

/// The rows that were wanted back are the attachment; without it nothing was computed.
package struct ForwardReply: BusMessage {
    /// Sequences that lack what comes before their rows.
    package var missing: [MissingRows]

    package init(missing: [MissingRows] = []) { self.missing = missing }

    package static let codec = MessageCodec(Self.self)
}

extension ForwardReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ForwardReply>) {
        nephele__v1__forward_reply__init(c)
    }

    init(reading c: Nephele__V1__ForwardReply) throws {
        missing = try readAll(MissingRows.self, c.missing, c.n_missing)
    }

    func write(to c: inout Nephele__V1__ForwardReply, in arena: inout Arena) {
        c.n_missing = missing.count
        c.missing = arena.messages(missing)
    }
}

/// How much of a sequence a shard has.
package struct MissingRows: Sendable, Equatable {
    package var sequence: UInt64
    /// Positions; nil for a sequence that is not known.
    package var have: UInt32?

    package init(sequence: UInt64, have: UInt32?) { (self.sequence, self.have) = (sequence, have) }
}

extension MissingRows: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__MissingRows>) { nephele__v1__missing_rows__init(c) }

    init(reading c: Nephele__V1__MissingRows) throws {
        sequence = c.sequence
        have = c.has_have != 0 ? c.have : nil
    }

    func write(to c: inout Nephele__V1__MissingRows, in arena: inout Arena) {
        (c.has_sequence, c.sequence) = (1, sequence)
        if let have { (c.has_have, c.have) = (1, have) }
    }
}

/// Sequences that a shard may forget.
package struct ReleaseRequest: BusMessage {
    package var owner: String
    package var sequences: [UInt64]

    package init(owner: String, sequences: [UInt64]) { (self.owner, self.sequences) = (owner, sequences) }

    package static let codec = MessageCodec(Self.self)
}

extension ReleaseRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReleaseRequest>) {
        nephele__v1__release_request__init(c)
    }

    init(reading c: Nephele__V1__ReleaseRequest) throws {
        owner = try c.owner.text("owner")
        sequences = readAll(c.sequences, c.n_sequences)
    }

    func write(to c: inout Nephele__V1__ReleaseRequest, in arena: inout Arena) {
        (c.has_owner, c.owner) = (1, arena.text(owner))
        c.n_sequences = sequences.count
        c.sequences = arena.numbers(sequences)
    }
}

/// They are forgotten.
package struct ReleaseReply: BusMessage {
    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension ReleaseReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReleaseReply>) {
        nephele__v1__release_reply__init(c)
    }

    init(reading c: Nephele__V1__ReleaseReply) throws {}

    func write(to c: inout Nephele__V1__ReleaseReply, in arena: inout Arena) {}
}

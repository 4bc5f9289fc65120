/// The parts of a SentencePiece `ModelProto` (sentencepiece_model.proto) that encoding needs.
struct SentencePieceModel {
    enum Kind: UInt64 { case normal = 1, unknown, control, userDefined, unused, byte }

    struct Piece {
        var bytes: [UInt8] = []
        var score: Float = 0
        var kind = Kind.normal
    }

    private var pieces: [Piece] = []
    private var modelType: UInt64 = 1
    private var addsDummyPrefix = true
    private var removesExtraWhitespace = true
    private var hasCharacterMap = false

    /// A model whose parts are known.
    init(_ pieces: [Piece], addsDummyPrefix: Bool) {
        (self.pieces, self.addsDummyPrefix) = (pieces, addsDummyPrefix)
    }

    /// - Throws: `TokenizerError.malformed` when the bytes are not such a message, `.unsupported` for a model
    ///   other than BPE.
    init(_ file: [UInt8]) throws(TokenizerError) {
        var reader = ProtobufReader(file[...])
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let message)): pieces.append(try Self.piece(message))
            case (2, .bytes(let message)):
                var trainer = ProtobufReader(message)
                while let field = try trainer.next() {
                    if case (3, .integer(let type)) = (field.number, field.value) { modelType = type }
                }
            case (3, .bytes(let message)): try readNormalizer(message)
            default: break
            }
        }
        guard !pieces.isEmpty else { throw TokenizerError(.malformed, "tokenizer.model holds no pieces") }
        guard modelType == 2 else {
            throw TokenizerError(
                .unsupported, "tokenizer.model is not a BPE model (type \(modelType)); only BPE is supported")
        }
        guard !hasCharacterMap else {
            throw TokenizerError(
                .unsupported, "tokenizer.model normalises characters; convert it to a tokenizer.json with transformers")
        }
    }

    private static func piece(_ message: ArraySlice<UInt8>) throws(TokenizerError) -> Piece {
        var piece = Piece()
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let bytes)): piece.bytes = Array(bytes)
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .integer(let kind)): piece.kind = Kind(rawValue: kind) ?? .normal
            default: break
            }
        }
        return piece
    }

    private mutating func readNormalizer(_ message: ArraySlice<UInt8>) throws(TokenizerError) {
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (2, .bytes(let map)): hasCharacterMap = !map.isEmpty
            case (3, .integer(let value)): addsDummyPrefix = value != 0
            case (4, .integer(let value)): removesExtraWhitespace = value != 0
            default: break
            }
        }
    }

    /// Two pieces merge when their concatenation is a piece; the highest score goes first.
    func definition() throws(TokenizerError) -> TokenizerDefinition {
        var definition = TokenizerDefinition()
        var model = BytePairModel()
        let space = Array("▁".utf8)
        definition.decoder.steps = [.byteFallback, .replace(space, with: [0x20])]
        for (id, piece) in pieces.enumerated() {
            let special = piece.kind == .control || piece.kind == .unknown
            let byte = piece.kind == .byte ? TokenizerDefinition.fallbackByte(piece.bytes) : nil
            let bytes = byte.map { [$0] } ?? (special ? piece.bytes : Normalizer.replace(piece.bytes, space, [0x20]))
            try definition.vocabulary.insert(
                id: id, piece: piece.bytes, bytes: bytes, isSpecial: special, isAdded: special)
            if piece.kind == .normal || piece.kind == .userDefined { definition.pieces[piece.bytes] = Int32(id) }
            if special || piece.kind == .userDefined {
                definition.addedTokens.append(.init(id: Int32(id), content: piece.bytes, isSpecial: special))
            }
            if piece.kind == .unknown { definition.unknownID = Int32(id) }
            if let byte { model.byteIDs[Int(byte)] = Int32(id) }
        }
        model.merges = merges(definition.pieces)
        definition.model = .bytePair(model)
        let replace = Normalizer.replace([0x20], with: space)
        definition.normalizer = addsDummyPrefix ? .sequence([.prepend(space), replace]) : replace
        if addsDummyPrefix { definition.decoder.strips = [([0x20], 1, 0)] }
        definition.beginOfText = definition.vocabulary.idOfPiece[Array("<s>".utf8)]
        definition.endOfText = definition.vocabulary.idOfPiece[Array("</s>".utf8)]
        definition.addsBegin = true
        return definition
    }

    private func merges(_ ids: [[UInt8]: Int32]) -> [TokenPair: BytePairEncoder.Merge] {
        // Ranks in order of falling score; equal scores in order of id.
        let normal = pieces.indices.filter { pieces[$0].kind == .normal || pieces[$0].kind == .userDefined }
        let order = normal.sorted {
            pieces[$0].score != pieces[$1].score ? pieces[$0].score > pieces[$1].score : $0 < $1
        }
        var merges: [TokenPair: BytePairEncoder.Merge] = [:]
        for (rank, id) in order.enumerated() where pieces[id].kind == .normal {
            let bytes = pieces[id].bytes
            for cut in bytes.indices.dropFirst() where bytes[cut] & 0xC0 != 0x80 {
                guard let left = ids[Array(bytes[..<cut])],
                    let right = ids[Array(bytes[cut...])],
                    pieces[Int(left)].kind == .normal, pieces[Int(right)].kind == .normal
                else { continue }
                merges[TokenPair(left: left, right: right)] = .init(rank: Int32(rank), result: Int32(id))
            }
        }
        return merges
    }
}

/// The wire format of protocol buffers, as far as a model file needs it.
struct ProtobufReader {
    enum Value {
        case integer(UInt64)
        case fixed32(UInt32)
        case fixed64
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// - Throws: `TokenizerError.malformed` at a field that does not end within the message.
    mutating func next() throws(TokenizerError) -> (number: UInt64, value: Value)? {
        if rest.isEmpty { return nil }
        let tag = try varint()
        switch tag & 7 {
        case 0: return (tag >> 3, .integer(try varint()))
        case 1:
            _ = try take(8)
            return (tag >> 3, .fixed64)
        case 2:
            let length = try varint()
            guard length <= UInt64(rest.count) else { throw Self.truncated }
            return (tag >> 3, .bytes(try take(Int(length))))
        case 5:
            let bits = try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return (tag >> 3, .fixed32(bits))
        default: throw Self.truncated
        }
    }

    private static let truncated = TokenizerError(.malformed, "not a SentencePiece model, or a truncated one")

    private mutating func take(_ count: Int) throws(TokenizerError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw Self.truncated }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw Self.truncated }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Self.truncated
    }
}

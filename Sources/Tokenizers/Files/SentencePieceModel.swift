/// A SentencePiece model (sentencepiece_model.proto): its pieces, what kind of model they make, and what is done to a
/// text before.
struct SentencePieceModel {
    enum Kind: UInt64 { case normal = 1, unknown, control, userDefined, unused, byte }
    enum ModelType: UInt64 { case unigram = 1, bytePair, word, character }

    struct Piece {
        var bytes: [UInt8] = []
        var score: Float = 0
        var kind = Kind.normal
        /// What the model's algorithm may find in a text.
        var isText: Bool { kind == .normal || kind == .userDefined || kind == .unused }
    }

    var pieces: [Piece] = []
    var modelType = ModelType.unigram
    var normalizer = SentencePieceNormalizer()
    /// What is done to a text that was decoded.
    var denormalizer: SentencePieceNormalizer?
    var begin = 1
    var end = 2

    static let mark = Array("▁".utf8)

    /// A model whose parts are known.
    init(_ pieces: [Piece], _ modelType: ModelType, normalizer: SentencePieceNormalizer) {
        (self.pieces, self.modelType, self.normalizer) = (pieces, modelType, normalizer)
    }

    /// - Throws: `TokenizerError.malformed` when the bytes are not such a message, `.unsupported` for what is not done
    ///   here.
    init(_ file: [UInt8]) throws(TokenizerError) {
        var reader = ProtobufReader(file[...])
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let message)): pieces.append(try Self.piece(message))
            case (2, .bytes(let message)): try readTrainer(message)
            case (3, .bytes(let message)): try Self.read(message, into: &normalizer)
            case (5, .bytes(let message)):
                var own = SentencePieceNormalizer()
                try Self.read(message, into: &own)
                if own.map != nil { denormalizer = own }
            default: break
            }
        }
        guard !pieces.isEmpty else { throw TokenizerError(.malformed, "the SentencePiece model holds no pieces") }
    }

    private static func piece(_ message: ArraySlice<UInt8>) throws(TokenizerError) -> Piece {
        var piece = Piece()
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let bytes)): piece.bytes = Array(bytes)
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .integer(let number)):
                guard let kind = Kind(rawValue: number) else {
                    throw TokenizerError(.malformed, "a piece of the SentencePiece model has the type \(number)")
                }
                piece.kind = kind
            default: break
            }
        }
        guard !piece.score.isNaN else {
            throw TokenizerError(.malformed, "a piece of the SentencePiece model has no number as its score")
        }
        return piece
    }

    private mutating func readTrainer(_ message: ArraySlice<UInt8>) throws(TokenizerError) {
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (3, .integer(let number)):
                guard let type = ModelType(rawValue: number) else {
                    throw TokenizerError(
                        .unsupported,
                        "the SentencePiece model is of type \(number); known: 1 to 4 (unigram, bpe, word, char)")
                }
                modelType = type
            case (24, .integer(let flag)): normalizer.endsWordsWithWhitespace = flag != 0
            case (41, .integer(let id)): begin = Int(Int32(truncatingIfNeeded: id))
            case (42, .integer(let id)): end = Int(Int32(truncatingIfNeeded: id))
            default: break
            }
        }
    }

    private static func read(
        _ message: ArraySlice<UInt8>, into normalizer: inout SentencePieceNormalizer
    ) throws(TokenizerError) {
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (2, .bytes(let map)): normalizer.map = map.isEmpty ? nil : try CharacterMap(Array(map))
            case (3, .integer(let value)): normalizer.addsDummyPrefix = value != 0
            case (4, .integer(let value)): normalizer.removesExtraWhitespace = value != 0
            case (5, .integer(let value)): normalizer.escapesWhitespace = value != 0
            default: break
            }
        }
    }
}

extension SentencePieceModel {
    /// - Parameter splitsUserDefined: whether user-defined pieces are cut out of a text before anything else, as
    ///   llama.cpp and Hugging Face do; SentencePiece itself finds them while it encodes.
    func definition(splitsUserDefined: Bool = false) throws(TokenizerError) -> TokenizerDefinition {
        var definition = TokenizerDefinition()
        definition.vocabulary.expectedCount = pieces.count
        definition.decoder.steps = [.byteFallback, .replace(Self.mark, with: [0x20])]
        var byteIDs = [Int32?](repeating: nil, count: 256)
        definition.vocabulary.reserveCapacity(pieces.count)
        definition.pieces.reserveCapacity(pieces.count)
        for (id, piece) in pieces.enumerated() {
            let special = piece.kind == .control || piece.kind == .unknown
            let byte = piece.kind == .byte ? TokenizerDefinition.fallbackByte(piece.bytes) : nil
            let text = special ? piece.bytes : Normalizer.replace(piece.bytes, Self.mark, [0x20])
            try definition.vocabulary.insert(
                id: id, piece: piece.bytes, bytes: byte.map { [$0] } ?? text, isSpecial: special, isAdded: special)
            if piece.isText { definition.pieces[piece.bytes] = Int32(id) }
            if special || (piece.kind == .userDefined && splitsUserDefined) {
                definition.addedTokens.append(.init(id: Int32(id), content: piece.bytes, isSpecial: special))
            }
            if piece.kind == .unknown { definition.unknownID = Int32(id) }
            if let byte { byteIDs[Int(byte)] = Int32(id) }
        }
        var normalizer = normalizer
        let symbols = pieces.enumerated().filter { $0.element.kind == .userDefined && !$0.element.bytes.isEmpty }
        if !symbols.isEmpty, !splitsUserDefined {
            normalizer.userDefined = ByteTrie(symbols.map { ($0.element.bytes, Int32($0.offset)) })
        }
        definition.normalizer = .sentencePiece(normalizer)
        if normalizer.addsDummyPrefix || normalizer.removesExtraWhitespace {
            definition.decoder.joined = [.strip([0x20], start: normalizer.removesExtraWhitespace ? .max : 1, end: 0)]
        }
        if let denormalizer { definition.decoder.joined.append(.denormalize(denormalizer)) }
        func control(_ id: Int) -> Int32? {
            pieces.indices.contains(id) && pieces[id].kind == .control ? Int32(id) : nil
        }
        (definition.beginOfText, definition.endOfText) = (control(begin), control(end))
        definition.addsBegin = true
        try setModel(of: &definition, byteIDs, normalizer.userDefined)
        return definition
    }

    private func setModel(
        of definition: inout TokenizerDefinition, _ byteIDs: [Int32?], _ userDefined: ByteTrie?
    ) throws(TokenizerError) {
        switch modelType {
        case .unigram:
            let normal = pieces.filter { $0.kind == .normal }.map(\.score)
            let found = pieces.enumerated().filter { $0.element.isText && $0.element.kind != .unused }
            guard let unknown = definition.unknownID, !found.contains(where: { $0.element.bytes.isEmpty }) else {
                throw TokenizerError(.malformed, "the SentencePiece model has no unknown piece, or an empty one")
            }
            definition.model = .other(
                UnigramModel<Float>(
                    found.map {
                        .init(
                            bytes: $0.element.bytes, id: Int32($0.offset), score: $0.element.score,
                            isUserDefined: $0.element.kind == .userDefined)
                    }, minimum: normal.min() ?? 0, maximum: normal.max() ?? 0, unknownID: unknown,
                    byteIDs: byteIDs.contains(nil) ? [] : byteIDs))
        case .word:
            definition.preTokenizer = .metaspace(replacement: Self.mark, prepend: .never, split: true)
            definition.model = .wordLevel(fusesUnknown: true)
        case .bytePair, .character:
            var model = BytePairModel()
            model.byteIDs = byteIDs
            model.userDefined = userDefined
            if modelType == .bytePair { setMerges(of: &model, definition.pieces) }
            definition.preTokenizer = cutsBeforeMarks ? .words(before: Self.mark) : .identity
            definition.model = .bytePair(model)
        }
    }

    /// Whether no piece goes on with a mark behind something else, so that words can be encoded one by one.
    private var cutsBeforeMarks: Bool {
        guard pieces.contains(where: { $0.isText && $0.bytes == Self.mark }) else { return false }
        return pieces.allSatisfy { piece in
            guard piece.isText else { return true }
            var rest = piece.bytes[...]
            while rest.starts(with: Self.mark) { rest = rest.dropFirst(Self.mark.count) }
            return !Normalizer.contains(rest, Self.mark)
        }
    }

    /// Two neighbours merge when their concatenation is a piece; the highest score goes first.
    private func setMerges(of model: inout BytePairModel, _ ids: PieceTable) {
        // Characters that are no pieces can be parts of some.
        var ids = ids
        var next = Int32(pieces.count)
        var isKnown = [Bool](repeating: false, count: 0x11_0000)
        for piece in pieces where piece.isText {
            if piece.bytes.allSatisfy({ $0 < 0x80 && isKnown[Int($0)] }) { continue }
            for character in String(decoding: piece.bytes, as: UTF8.self).unicodeScalars
            where !isKnown[Int(character.value)] {
                isKnown[Int(character.value)] = true
                let bytes = Array(String(character).utf8)
                if ids[bytes] != nil { continue }
                ids[bytes] = next
                (model.strangers[bytes], model.strangerBytes[next]) = (next, bytes)
                next += 1
            }
        }
        model.firstStranger = Int32(pieces.count)
        let scores = pieces.map(\.score)
        var (rank, last): (Int32, Float?) = (-1, nil)
        var ranks = [Int32](repeating: 0, count: pieces.count)
        for id in pieces.indices.sorted(by: { scores[$0] > scores[$1] }) where pieces[id].isText {
            if scores[id] != last { rank += 1 }
            (ranks[id], last) = (rank, scores[id])
        }
        model.merges = PairTable(capacity: 2 * pieces.count)
        for (id, piece) in pieces.enumerated() where piece.isText {
            guard ids[piece.bytes] == Int32(id) else { continue }
            if piece.kind == .unused { model.unused.insert(Int32(id)) }
            let merge = PairTable.Merge(rank: ranks[id], result: Int32(id))
            ids.forEachCut(of: piece.bytes) { model.merges.insert($0, $1, merge) }
        }
    }
}

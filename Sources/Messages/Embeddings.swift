internal import CMessages

/// Texts whose embeddings are wanted. Ranges are checked by the text-model, which alone knows its model.
package struct EmbedRequest: BusMessage {
    package var model: String
    package var inputs: [[Int32]]
    /// Empty when the ids do not come from a tokenizer.
    package var tokenizerHash = ""
    /// Empty for the model alone.
    package var adapter = ""
    /// How many numbers of each are given; nil for all.
    package var dimensions: UInt32?
    /// Instances lost under this call. From one on its texts are computed apart from others.
    package var crashesWithoutProgress: UInt32 = 0

    /// Texts of one call, at most.
    package static let inputLimit = 64

    package init(model: String, inputs: [[Int32]]) { (self.model, self.inputs) = (model, inputs) }

    package static let codec = MessageCodec(Self.self)
}

extension EmbedRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__EmbedRequest>) { nephele__v1__embed_request__init(c) }

    init(reading c: Nephele__V1__EmbedRequest) throws {
        model = try c.model.text("model")
        inputs = try readAll(TokenList.self, c.inputs, c.n_inputs).map(\.ids)
        tokenizerHash = try c.tokenizer_hash.text("tokenizer_hash")
        adapter = try c.adapter.text("adapter")
        dimensions = c.has_dimensions != 0 ? c.dimensions : nil
        crashesWithoutProgress = c.crashes_without_progress
    }

    func write(to c: inout Nephele__V1__EmbedRequest, in arena: inout Arena) {
        c.has_model = 1
        c.model = arena.text(model)
        c.n_inputs = inputs.count
        c.inputs = arena.messages(inputs.map { TokenList(ids: $0) })
        c.has_tokenizer_hash = 1
        c.tokenizer_hash = arena.text(tokenizerHash)
        if !adapter.isEmpty { (c.has_adapter, c.adapter) = (1, arena.text(adapter)) }
        if let dimensions { (c.has_dimensions, c.dimensions) = (1, dimensions) }
        if crashesWithoutProgress > 0 {
            (c.has_crashes_without_progress, c.crashes_without_progress) = (1, crashesWithoutProgress)
        }
    }
}

private struct TokenList {
    var ids: [Int32]
}

extension TokenList: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__TokenList>) { nephele__v1__token_list__init(c) }

    init(reading c: Nephele__V1__TokenList) throws { ids = readAll(c.ids, c.n_ids) }

    func write(to c: inout Nephele__V1__TokenList, in arena: inout Arena) {
        c.n_ids = ids.count
        c.ids = arena.numbers(ids)
    }
}

/// The embeddings are the attachment, f32 in little-endian: `[inputs, width]`.
package struct EmbedReply: BusMessage {
    package var width: Int

    package init(width: Int) { self.width = width }

    /// - Returns: each text's embedding.
    /// - Throws: `MessageError` when the attachment does not hold as many.
    package func embeddings(_ attachments: [Attachment], inputs: Int) throws -> [[Float]] {
        guard attachments.count == 1, width > 0, attachments[0].count / 4 / max(1, inputs) == width,
            attachments[0].count == 4 * width * inputs
        else {
            throw MessageError(
                message: "\(attachments.map(\.count)) bytes are not \(inputs) embeddings of \(width) numbers")
        }
        return attachments[0].withUnsafeBytes { bytes in
            (0..<inputs).map { input in
                (0..<width).map { column in
                    let word = bytes.loadUnaligned(fromByteOffset: 4 * (input * width + column), as: UInt32.self)
                    return Float(bitPattern: UInt32(littleEndian: word))
                }
            }
        }
    }

    package static let codec = MessageCodec(Self.self)
}

extension EmbedReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__EmbedReply>) { nephele__v1__embed_reply__init(c) }

    init(reading c: Nephele__V1__EmbedReply) throws { width = Int(c.width) }

    func write(to c: inout Nephele__V1__EmbedReply, in arena: inout Arena) {
        (c.has_width, c.width) = (1, UInt32(clamping: width))
    }
}

extension Attachment {
    /// f32 in little-endian, one list after the other.
    package convenience init(floats lists: [[Float]]) {
        self.init(count: 4 * lists.reduce(0) { $0 + $1.count }) { bytes in
            var offset = 0
            for list in lists {
                for value in list {
                    bytes.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: offset, as: UInt32.self)
                    offset += 4
                }
            }
        }
    }
}

extension Wire.EmbedRequest {
    /// Texts of one call, at most.
    package static let inputLimit = 64
}

extension Wire.EmbedReply {
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

/// Boxes of the JPEG universal metadata box format (ISO/IEC 19566-5), as C2PA stores manifests.
enum JUMBF {
    /// What a superbox holds, by the first four bytes of its content type; the rest is the same for all.
    enum Content: String {
        case store = "c2pa"
        case manifest = "c2ma"
        case assertions = "c2as"
        case claim = "c2cl"
        case signature = "c2cs"
        case cbor
    }

    /// A box: length and type before what it holds.
    static func box(_ type: String, _ content: [UInt8]) -> [UInt8] {
        let length = UInt32(content.count + 8)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + Array(type.utf8) + content
    }

    /// A superbox with a label by which others refer to it.
    static func superbox(_ content: Content, label: String, _ boxes: [[UInt8]]) -> [UInt8] {
        let kind =
            Array(content.rawValue.utf8) + [0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71]
        // 3: it has a label and may be asked for by it.
        let description = box("jumd", kind + [3] + Array(label.utf8) + [0])
        return box("jumb", description + boxes.flatMap { $0 })
    }

    static func superbox(_ content: Content, label: String, _ value: CBOR) -> [UInt8] {
        superbox(content, label: label, [box("cbor", value.encoded)])
    }
}

/// Boxes of the JPEG universal metadata box format (ISO/IEC 19566-5), as C2PA stores manifests.
enum JUMBF {
    /// What a superbox holds, by the first four bytes of its content type.
    enum Content: String {
        case store = "c2pa"
        case manifest = "c2ma"
        case assertions = "c2as"
        case claim = "c2cl"
        case signature = "c2cs"
        case cbor

        /// The type: the rest of it is the same for all.
        var type: [UInt8] {
            Array(rawValue.utf8) + [0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71]
        }
    }

    /// A box: length and type before what it holds.
    static func box(_ type: String, _ content: [UInt8]) -> [UInt8] {
        let length = UInt32(content.count + 8)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + Array(type.utf8) + content
    }

    /// A superbox with a label by which others refer to it.
    static func superbox(_ content: Content, label: String, _ boxes: [[UInt8]]) -> [UInt8] {
        // 3: it has a label and may be asked for by it.
        let description = box("jumd", content.type + [3] + Array(label.utf8) + [0])
        return box("jumb", description + boxes.flatMap { $0 })
    }

    static func superbox(_ content: Content, label: String, _ value: CBOR) -> [UInt8] {
        superbox(content, label: label, [box("cbor", value.encoded)])
    }
}

// MARK: Reading

extension JUMBF {
    /// A box that was read.
    struct Box {
        let type: ArraySlice<UInt8>
        /// Without length and type: what a hashed reference to a superbox covers (C2PA 2.2, §8.4.2.3).
        let content: ArraySlice<UInt8>

        func isOf(type name: String) -> Bool { type.elementsEqual(name.utf8) }
    }

    /// A superbox that was read: what it holds, by its label.
    struct Superbox {
        let kind: ArraySlice<UInt8>
        let label: String
        let boxes: [Box]

        func isOf(_ content: Content) -> Bool { kind.elementsEqual(content.type) }

        /// The superboxes in it, in order.
        var superboxes: [Superbox] {
            get throws(CredentialsFlaw) {
                try boxes.filter { $0.isOf(type: "jumb") }.map { box throws(CredentialsFlaw) in try Superbox(box) }
            }
        }

        /// What its only box of a type holds.
        func content(_ type: String) throws(CredentialsFlaw) -> ArraySlice<UInt8> {
            let found = boxes.filter { $0.isOf(type: type) }
            guard found.count == 1 else {
                throw CredentialsFlaw("'\(label.prefix(100))' has \(found.count) boxes of the type '\(type)'")
            }
            return found[0].content
        }

        /// - Throws: `CredentialsFlaw` for a box that begins with no description with a label.
        init(_ box: Box) throws(CredentialsFlaw) {
            let inner = try JUMBF.boxes(in: box.content)
            guard box.isOf(type: "jumb"), let description = inner.first, description.isOf(type: "jumd"),
                description.content.count > 17
            else { throw CredentialsFlaw("a box of the manifest has no description") }
            kind = description.content.prefix(16)
            let rest = description.content.dropFirst(17)
            let flags = description.content[rest.startIndex - 1]
            guard flags & ~16 == 3, let end = rest.firstIndex(of: 0),
                let label = String(validating: rest[..<end], as: UTF8.self)
            else { throw CredentialsFlaw("a box of the manifest has no label") }
            // With 16 a private box follows: a salt for the hash.
            guard try JUMBF.boxes(in: rest[(end + 1)...]).count == Int(flags >> 4) else {
                throw CredentialsFlaw("the description of '\(label.prefix(100))' is not as long as it says")
            }
            (self.label, boxes) = (label, Array(inner.dropFirst()))
        }
    }

    /// Boxes one behind another.
    ///
    /// - Throws: `CredentialsFlaw` where one is longer than what is there.
    static func boxes(in bytes: ArraySlice<UInt8>) throws(CredentialsFlaw) -> [Box] {
        var (boxes, rest) = ([Box](), bytes)
        while !rest.isEmpty {
            guard rest.count >= 8, boxes.count < boxLimit else { throw CredentialsFlaw("its boxes are cut") }
            let (head, type) = (rest.prefix(4).bigEndian, rest.dropFirst(4).prefix(4))
            var (length, header) = (head, 8)
            if head == 1, rest.count >= 16 { (length, header) = (rest.dropFirst(8).prefix(8).bigEndian, 16) }
            // 0: as far as there is.
            if head == 0 { length = UInt64(rest.count) }
            guard length >= UInt64(header), length <= UInt64(rest.count) else {
                throw CredentialsFlaw("a box of \(length) bytes stands in \(rest.count)")
            }
            boxes.append(Box(type: type, content: rest.prefix(Int(length)).dropFirst(header)))
            rest = rest.dropFirst(Int(length))
        }
        return boxes
    }

    private static let boxLimit = 4_096
}

extension Collection where Element == UInt8 {
    /// Up to eight bytes as a number, the first the highest.
    var bigEndian: UInt64 { reduce(0) { $0 << 8 | UInt64($1) } }

    var littleEndian: UInt64 { reversed().bigEndian }
}

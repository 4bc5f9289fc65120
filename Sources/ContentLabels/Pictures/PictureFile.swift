/// A picture as somebody sends it, by the bytes that it begins with: a place where C2PA manifests stand (C2PA Technical
/// Specification 2.2, appendix A.3).
package enum PictureFile: String, Sendable, CaseIterable {
    case png, jpeg, webp, gif

    /// - Returns: nil for anything else.
    package init?(_ file: [UInt8]) {
        if file.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if file.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if file.starts(with: "RIFF".utf8), file.dropFirst(8).starts(with: "WEBP".utf8) {
            self = .webp
        } else if file.starts(with: "GIF87a".utf8) || file.starts(with: "GIF89a".utf8) {
            self = .gif
        } else {
            return nil
        }
    }

    /// The file's manifest store; nil where it has none. A file that is cut has what stands before the cut.
    ///
    /// - Throws: `CredentialsFlaw` for several.
    func manifestStore(in file: [UInt8]) throws(CredentialsFlaw) -> ArraySlice<UInt8>? {
        let stores =
            switch self {
            case .png: Self.chunks(of: file[8...], named: "caBX", lengthFirst: true)
            case .webp: Self.chunks(of: file[12...], named: "C2PA", lengthFirst: false)
            case .jpeg: Self.segments(of: file)
            case .gif: Self.extensions(of: file)
            }
        guard stores.count <= 1 else { throw CredentialsFlaw("the file has \(stores.count) manifest stores") }
        return stores.first
    }

    /// PNG has length, type, data and a checksum; RIFF type, length, data, and a byte more where the length is odd.
    private static func chunks(
        of bytes: ArraySlice<UInt8>, named name: String, lengthFirst: Bool
    ) -> [ArraySlice<UInt8>] {
        var (found, rest) = ([ArraySlice<UInt8>](), bytes)
        while rest.count >= 8 {
            let (first, second) = (rest.prefix(4), rest.dropFirst(4).prefix(4))
            let length = Int(lengthFirst ? first.bigEndian : second.littleEndian)
            rest = rest.dropFirst(8)
            if (lengthFirst ? second : first).elementsEqual(name.utf8), rest.count >= length {
                found.append(rest.prefix(length))
            }
            rest = rest.dropFirst(length + (lengthFirst ? 4 : length % 2))
        }
        return found
    }

    /// Segments APP11 (ISO/IEC 18477-3): each repeats length and type of the box that goes on in it.
    private static func segments(of file: [UInt8]) -> [ArraySlice<UInt8>] {
        var (boxes, order) = ([UInt64: ArraySlice<UInt8>](), [UInt64]())
        var rest = file.dropFirst(2)
        // 0xDA: the picture itself begins.
        while rest.count >= 4, rest.first == 0xFF, let marker = rest.dropFirst().first, marker != 0xDA {
            if marker == 0xFF || (0xD0...0xD7).contains(marker) || marker == 0x01 {
                rest = rest.dropFirst(marker == 0xFF ? 1 : 2)
                continue
            }
            let length = Int(rest.dropFirst(2).prefix(2).bigEndian)
            let segment = rest.dropFirst(4).prefix(max(0, length - 2))
            if marker == 0xEB, segment.starts(with: "JP".utf8), segment.count >= 16 {
                let (number, part) = (
                    segment.dropFirst(2).prefix(2).bigEndian, segment.dropFirst(4).prefix(4).bigEndian
                )
                let box = segment.dropFirst(8)
                if part == 1 {
                    boxes[number] = box
                    order.append(number)
                } else {
                    // A length of 1 has a longer one behind the type.
                    boxes[number]? += box.dropFirst(box.prefix(4).bigEndian == 1 ? 16 : 8)
                }
            }
            rest = rest.dropFirst(2 + max(2, length))
        }
        // Other boxes than C2PA's may stand there too.
        return order.compactMap { boxes[$0] }.filter { bytes in
            guard let box = try? JUMBF.boxes(in: bytes).first, box.isOf(type: "jumb") else { return false }
            return (try? JUMBF.Superbox(box))?.isOf(.store) ?? false
        }
    }

    /// An application extension «C2PA_GIF», whose data stands in pieces of up to 255 bytes.
    private static func extensions(of file: [UInt8]) -> [ArraySlice<UInt8>] {
        func tableSize(_ flags: UInt8) -> Int { flags & 0x80 == 0 ? 0 : 3 << (Int(flags & 7) + 1) }
        var found: [ArraySlice<UInt8>] = []
        guard file.count > 13 else { return [] }
        var rest = file.dropFirst(13 + tableSize(file[10]))
        func pieces() -> ArraySlice<UInt8> {
            var all: ArraySlice<UInt8> = []
            while let length = rest.first {
                all += rest.dropFirst().prefix(Int(length))
                rest = rest.dropFirst(1 + Int(length))
                if length == 0 { break }
            }
            return all
        }
        while let kind = rest.first, kind == 0x21 || kind == 0x2C {
            if kind == 0x2C {
                rest = rest.dropFirst(11 + tableSize(rest.dropFirst(9).first ?? 0))
                _ = pieces()
            } else if rest.dropFirst().first == 0xFF, rest.dropFirst(3).starts(with: "C2PA_GIF".utf8) {
                rest = rest.dropFirst(3 + 11)
                found.append(pieces())
            } else {
                rest = rest.dropFirst(2)
                _ = pieces()
            }
        }
        return found
    }
}

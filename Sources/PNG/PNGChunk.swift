/// A chunk of a PNG file (ISO/IEC 15948 §5): its type, four letters, and what it holds.
package struct PNGChunk: Sendable, Equatable {
    package let type: String
    package let data: [UInt8]

    /// - Parameter type: four ASCII letters.
    package init(_ type: String, _ data: [UInt8]) {
        precondition(type.utf8.count == 4, "'\(type)' is no type of a chunk")
        (self.type, self.data) = (type, data)
    }

    /// Text under a keyword: `tEXt` where all of it is Latin-1, and else `iTXt` (§11.3.4), as Pillow and programs that use
    /// it write it. Control characters other than line feeds become spaces, since no chunk may hold NUL.
    ///
    /// - Parameter keyword: 1 to 79 ASCII characters.
    package static func text(_ keyword: String, _ text: String) -> PNGChunk {
        precondition((1...79).contains(keyword.utf8.count), "'\(keyword)' is no keyword")
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            scalar == "\n" || scalar.properties.generalCategory != .control ? scalar : " "
        }
        let head = Array(keyword.utf8) + [0]
        if scalars.allSatisfy({ $0.value < 256 }) {
            return PNGChunk("tEXt", head + scalars.map { UInt8(truncatingIfNeeded: $0.value) })
        }
        // Not compressed, without a language and a translated keyword.
        return PNGChunk("iTXt", head + [0, 0, 0, 0] + scalars.flatMap { Array(String($0).utf8) })
    }

    /// The text of a `tEXt` or an uncompressed `iTXt` chunk with its keyword; nil for any other.
    package var text: (keyword: String, text: String)? {
        guard let end = data.firstIndex(of: 0) else { return nil }
        let keyword = String(decoding: data[..<end], as: UTF8.self)
        let rest = data[(end + 1)...]
        switch type {
        case "tEXt": return (keyword, String(String.UnicodeScalarView(rest.map { Unicode.Scalar($0) })))
        case "iTXt" where rest.first == 0:
            let parts = rest.dropFirst(2).split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let text = String(validating: parts[2], as: UTF8.self) else { return nil }
            return (keyword, text)
        default: return nil
        }
    }

    /// As it stands in a file: length, type, data, checksum.
    package var bytes: [UInt8] {
        let typed = Array(type.utf8) + data
        return Self.word(UInt32(data.count)) + typed + Self.word(Self.checksum(typed))
    }

    private static func word(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { rest, _ in rest & 1 == 1 ? 0xEDB8_8320 ^ (rest >> 1) : rest >> 1 }
    }

    /// CRC-32 (§5.5).
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ ($0 >> 8) }
    }
}

extension PNG {
    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// Where the first chunk, IHDR, ends.
    package static let headerLength = 8 + 12 + 13

    /// The file with further chunks behind IHDR.
    ///
    /// - Throws: `DecodingError` for bytes that do not begin as a PNG file does.
    package static func inserting(_ chunks: [PNGChunk], into file: [UInt8]) throws(DecodingError) -> [UInt8] {
        guard file.count > headerLength, file.starts(with: signature), file[12..<16].elementsEqual("IHDR".utf8) else {
            throw DecodingError(description: "\(file.count) bytes do not begin as a PNG file does")
        }
        return file[..<headerLength] + chunks.flatMap(\.bytes) + file[headerLength...]
    }

    /// A file's chunks up to IEND; what they hold is not looked at.
    ///
    /// - Throws: `DecodingError` for a file that is cut off, or a chunk whose checksum is wrong.
    package static func chunks(of file: [UInt8]) throws(DecodingError) -> [PNGChunk] {
        guard file.starts(with: signature) else {
            throw DecodingError(description: "\(file.count) bytes do not begin as a PNG file does")
        }
        var chunks: [PNGChunk] = []
        var rest = file.dropFirst(signature.count)
        func word(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
        while chunks.last?.type != "IEND" {
            guard rest.count >= 12, case let length = Int(word(rest.prefix(4))), length <= rest.count - 12,
                let type = String(validating: rest.dropFirst(4).prefix(4), as: UTF8.self), type.utf8.count == 4
            else { throw DecodingError(description: "the PNG file ends in chunk \(chunks.count)") }
            let typed = rest.dropFirst(4).prefix(4 + length)
            guard PNGChunk.checksum(typed) == word(rest.dropFirst(8 + length).prefix(4)) else {
                throw DecodingError(description: "the checksum of chunk \(chunks.count) of the PNG file is wrong")
            }
            chunks.append(PNGChunk(type, Array(typed.dropFirst(4))))
            rest = rest.dropFirst(12 + length)
        }
        return chunks
    }
}

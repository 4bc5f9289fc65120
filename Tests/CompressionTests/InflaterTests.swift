import Compression
import Testing

/// Files of gzip(1), in parts of every size.
struct InflaterTests {
    /// printf 'moon 明月\n' | gzip -n9
    private static let moon: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xCB, 0xCD, 0xCF, 0xCF, 0x53, 0x78, 0x36, 0xA3,
        0xEF, 0xD9, 0x9C, 0x0E, 0x2E, 0x00, 0x37, 0x03, 0x3E, 0xC8, 0x0C, 0x00, 0x00, 0x00,
    ]
    /// printf 'moon 明月\n%.0s' $(seq 500) | gzip -n9
    private static let moons: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xED, 0xC6, 0x21, 0x01, 0x00, 0x20, 0x0C, 0x00,
        0x30, 0x4F, 0x0A, 0x0A, 0x9E, 0xD7, 0x40, 0xA1, 0x2F, 0xC8, 0xF7, 0x1C, 0x74, 0x40, 0x6F, 0x6A, 0x91, 0xB9,
        0x66, 0xD7, 0xE9, 0xBB, 0x47, 0xB8, 0xBB, 0xBB, 0xBB, 0xBB, 0xBB, 0xBB, 0xBB, 0xBB, 0xBB, 0xBB, 0xFB, 0xD7,
        0x1F, 0xBF, 0xF6, 0x30, 0xFD, 0x70, 0x17, 0x00, 0x00,
    ]

    private func inflated(_ file: [UInt8], chunk: Int, limit: Int) throws -> String {
        let inflater = Inflater()
        var text: [UInt8] = []
        for start in stride(from: 0, to: file.count, by: chunk) {
            inflater.feed(file[start..<min(start + chunk, file.count)])
            while true {
                let more = try inflater.next(limit: limit)
                guard !more.isEmpty else { break }
                #expect(more.count <= limit)
                text += more
            }
        }
        try inflater.finish()
        return String(decoding: text, as: UTF8.self)
    }

    @Test("A file is the same text however it is cut, and members join", arguments: [1, 7, 4_096])
    func parts(chunk: Int) throws {
        let line = "moon 明月\n"
        for limit in [1, 5, 65_536] {
            #expect(try inflated(Self.moon, chunk: chunk, limit: limit) == line)
            #expect(
                try inflated(Self.moons + Self.moon, chunk: chunk, limit: limit) == String(repeating: line, count: 501))
        }
    }

    @Test("What is cut off, changed or no gzip is refused")
    func broken() throws {
        #expect(throws: Inflater.Fault.self) { try inflated(Array(Self.moons.dropLast(9)), chunk: 16, limit: 64) }
        var changed = Self.moon
        changed[14] ^= 0x10
        #expect(throws: Inflater.Fault.self) { try inflated(changed, chunk: 64, limit: 64) }
        #expect(throws: Inflater.Fault.self) { try inflated(Array("no gzip at all".utf8), chunk: 64, limit: 64) }
        #expect(throws: Inflater.Fault.self) { try inflated(Self.moon + [1, 2, 3], chunk: 64, limit: 64) }
    }
}

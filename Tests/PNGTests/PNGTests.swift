import PNG
import Testing

@Suite struct PNGTests {
    @Test(arguments: [(1, 1), (2, 3), (32, 32), (300, 70)])
    func `a picture is read back as it was written`(width: Int, height: Int) throws {
        let rgba = (0..<width * height * 4).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 256) }
        let read = try PNG.decode(try PNG.encode(rgba: rgba, width: width, height: height))
        #expect(read.width == width && read.height == height && read.rgba == rgba)
    }

    @Test(arguments: [(1, 1), (7, 5), (64, 64), (511, 300)])
    func `there is room for a picture that cannot be compressed`(width: Int, height: Int) throws {
        var noise = SystemRandomNumberGenerator()
        let rgba = (0..<width * height * 4).map { _ in UInt8.random(in: 0...255, using: &noise) }
        let file = try PNG.encode(rgba: rgba, width: width, height: height)
        #expect(file.count > rgba.count)
        #expect(try PNG.decode(file).rgba == rgba)
    }

    @Test func `sizes that are none are refused`() {
        for (count, width, height) in [(0, 0, 0), (4, 1, 2), (4, -1, -1), (0, 1 << 40, 0)] {
            #expect(throws: PNG.EncodingError.self) {
                try PNG.encode(rgba: [UInt8](repeating: 0, count: count), width: width, height: height)
            }
        }
    }

    @Test func `a file that is cut short, too large or none at all is refused`() throws {
        let file = try PNG.encode(rgba: [UInt8](repeating: 7, count: 64 * 64 * 4), width: 64, height: 64)
        #expect(throws: PNG.DecodingError.self) { try PNG.decode(file, pixelLimit: 64 * 64 - 1) }
        for length in [0, 7, 8, 30, file.count / 2] {
            #expect(throws: PNG.DecodingError.self) { try PNG.decode(Array(file.prefix(length))) }
        }
        #expect(throws: PNG.DecodingError.self) { try PNG.decode(Array("no picture at all".utf8)) }
    }

    @Test func `chunks go behind the header, and the picture stays`() throws {
        let rgba = (0..<5 * 4 * 4).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let file = try PNG.encode(rgba: rgba, width: 5, height: 4)
        let own = try PNG.chunks(of: file)
        #expect(own.first?.type == "IHDR" && own.last?.type == "IEND")
        let added = [PNGChunk.text("a", "caf\u{E9}\nx"), .text("b", "一本书 \u{1F4D5}"), PNGChunk("caBX", [1, 0, 255])]
        let labelled = try PNG.inserting(added, into: file)
        #expect(try PNG.chunks(of: labelled) == [own[0]] + added + own.dropFirst())
        // libpng agrees with the checksums.
        #expect(try PNG.decode(labelled).rgba == rgba)
        #expect(added.map(\.type) == ["tEXt", "iTXt", "caBX"])
        #expect(added[0].text ?? ("", "") == ("a", "caf\u{E9}\nx"))
        #expect(added[1].text ?? ("", "") == ("b", "一本书 \u{1F4D5}") && added[2].text == nil)
    }

    @Test func `text never holds a control character`() {
        let chunk = PNGChunk.text("k", "a\u{0}b\rc\u{85}d\u{1B}")
        #expect(chunk.data == Array("k\u{0}a b c d ".utf8))
        #expect(!PNGChunk.text("k", "一\u{0}").data.dropFirst(6).contains(0))
    }

    @Test func `bytes that are no PNG file are refused`() throws {
        let file = try PNG.encode(rgba: [1, 2, 3, 4], width: 1, height: 1)
        for length in [0, 8, 20, PNG.headerLength] {
            #expect(throws: PNG.DecodingError.self) { try PNG.inserting([], into: Array(file.prefix(length))) }
            #expect(throws: PNG.DecodingError.self) { try PNG.chunks(of: Array(file.prefix(length))) }
        }
        #expect(throws: PNG.DecodingError.self) { try PNG.chunks(of: file.dropLast()) }
        var broken = file
        broken[20] ^= 1
        #expect(throws: PNG.DecodingError.self) { try PNG.chunks(of: broken) }
        var long = file
        long[8] = 0xFF
        #expect(throws: PNG.DecodingError.self) { try PNG.chunks(of: long) }
    }
}

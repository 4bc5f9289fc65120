import PNG
import Testing

@Suite struct PNGTests {
    @Test(arguments: [(1, 1), (2, 3), (32, 32), (300, 70)])
    func `a picture is read back as it was written`(width: Int, height: Int) throws {
        let rgba = (0..<width * height * 4).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 256) }
        let read = try PNG.decode(try PNG.encode(rgba: rgba, width: width, height: height))
        #expect(read.width == width && read.height == height && read.rgba == rgba)
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
}

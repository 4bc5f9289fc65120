import CPNG
import PNG
import Testing

/// What libpng reads back from a file in memory.
private func decode(_ file: [UInt8]) throws -> (rgba: [UInt8], width: Int, height: Int) {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    try #require(png_image_begin_read_from_memory(&image, file, file.count) != 0)
    image.format = UInt32(PNG_FORMAT_FLAG_ALPHA | PNG_FORMAT_FLAG_COLOR)
    var rgba = [UInt8](repeating: 0, count: Int(image.width) * Int(image.height) * 4)
    try #require(png_image_finish_read(&image, nil, &rgba, 0, nil) != 0)
    return (rgba, Int(image.width), Int(image.height))
}

@Suite struct PNGTests {
    @Test(arguments: [(1, 1), (2, 3), (32, 32), (300, 70)])
    func `a picture is read back as it was written`(width: Int, height: Int) throws {
        let rgba = (0..<width * height * 4).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 256) }
        let read = try decode(try PNG.encode(rgba: rgba, width: width, height: height))
        #expect(read.width == width && read.height == height && read.rgba == rgba)
    }

    @Test func `sizes that are none are refused`() {
        for (count, width, height) in [(0, 0, 0), (4, 1, 2), (4, -1, -1), (0, 1 << 40, 0)] {
            #expect(throws: PNG.EncodingError.self) {
                try PNG.encode(rgba: [UInt8](repeating: 0, count: count), width: width, height: height)
            }
        }
    }
}

internal import CPNG

/// Portable Network Graphics (ISO/IEC 15948), through libpng.
package enum PNG {
    /// A picture that libpng would not write, and its reason.
    package struct EncodingError: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// A PNG file of 8-bit RGBA, not premultiplied.
    ///
    /// - Parameter rgba: `width · height · 4` bytes, rows from the top.
    /// - Throws: `EncodingError` when the size is none that PNG has, or memory runs out.
    package static func encode(rgba: [UInt8], width: Int, height: Int) throws(EncodingError) -> [UInt8] {
        guard width > 0, height > 0, let columns = UInt32(exactly: width), let rows = UInt32(exactly: height),
            rgba.count == width * height * 4
        else {
            throw EncodingError(description: "no PNG of \(width) × \(height) pixels from \(rgba.count) bytes")
        }
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        image.width = columns
        image.height = rows
        image.format = UInt32(PNG_FORMAT_FLAG_ALPHA | PNG_FORMAT_FLAG_COLOR)
        defer { png_image_free(&image) }
        // Room for what no picture of the size takes (libpng's PNG_IMAGE_PNG_SIZE_MAX): asking for the size first would
        // compress it twice.
        let raw = height * (1 + width * 4)
        let compressed = raw + (raw + 7) / 8 + (raw + 63) / 64 + 11
        var size = 8 + 25 + 16 + 44 + 12 + 12 * (1 + compressed / 8_192) + compressed
        var file = [UInt8](repeating: 0, count: size)
        guard png_image_write_to_memory(&image, &file, &size, 0, rgba, 0, nil) != 0 else { throw failure(image) }
        return Array(file.prefix(size))
    }

    /// A file that libpng would not read, and its reason.
    package struct DecodingError: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// The pixels of a PNG file as 8-bit RGBA, not premultiplied, rows from the top.
    ///
    /// - Parameter pixelLimit: pictures of more pixels are refused before memory is taken for them.
    /// - Throws: `DecodingError`.
    package static func decode(
        _ file: [UInt8], pixelLimit: Int = 1 << 24
    ) throws(DecodingError) -> (rgba: [UInt8], width: Int, height: Int) {
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        guard png_image_begin_read_from_memory(&image, file, file.count) != 0 else {
            throw DecodingError(description: failure(image).description)
        }
        let (width, height) = (Int(image.width), Int(image.height))
        guard width * height <= pixelLimit else {
            throw DecodingError(description: "\(width) × \(height) pixels; the limit is \(pixelLimit) in all")
        }
        image.format = UInt32(PNG_FORMAT_FLAG_ALPHA | PNG_FORMAT_FLAG_COLOR)
        var rgba = [UInt8](repeating: 0, count: width * height * 4)
        guard png_image_finish_read(&image, nil, &rgba, 0, nil) != 0 else {
            throw DecodingError(description: failure(image).description)
        }
        return (rgba, width, height)
    }

    private static func failure(_ image: png_image) -> EncodingError {
        let message = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return EncodingError(description: "libpng: \(message)")
    }
}

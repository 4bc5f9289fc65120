package import Foundation

/// A finished picture: 8-bit RGBA, rows from the top, alpha not premultiplied.
package struct Picture: Sendable, Equatable {
    package let width: Int
    package let height: Int
    /// `width · height · 4` bytes.
    package let rgba: [UInt8]

    package init(width: Int, height: Int, rgba: [UInt8]) {
        precondition(rgba.count == width * height * 4, "\(rgba.count) bytes for \(width) × \(height)")
        (self.width, self.height, self.rgba) = (width, height, rgba)
    }

    /// - Parameters:
    ///   - latents: `[C, h, w]`, −1 to 1. C = 1 is grey, 3 is RGB, 4 is RGBA with premultiplied alpha, after each pixel's
    ///     `unshuffle`² neighbours are put back (C is a multiple of its square).
    init(latents: [Float], channels: Int, height h: Int, width w: Int, unshuffle r: Int) throws(DiffusionError) {
        let planes = channels / (r * r)
        guard planes * r * r == channels, planes == 1 || planes == 3 || planes == 4 else {
            throw DiffusionError(.unsupported, "a picture of \(channels) channels with pixel_unshuffle \(r)")
        }
        var rgba = [UInt8](repeating: 255, count: h * r * w * r * 4)
        func level(_ plane: Int, _ y: Int, _ x: Int) -> Float {
            let channel = (plane * r + y % r) * r + x % r
            let v = latents[(channel * h + y / r) * w + x / r]
            return v.isNaN ? 0 : (min(max(v, -1), 1) + 1) / 2
        }
        func byte(_ v: Float) -> UInt8 { UInt8((min(max(v, 0), 1) * 255).rounded()) }
        for y in 0..<h * r {
            for x in 0..<w * r {
                let at = (y * w * r + x) * 4
                if planes == 4 {
                    // Pixel art is either clear or opaque.
                    let alpha = level(3, y, x)
                    for c in 0..<3 { rgba[at + c] = alpha < 0.5 ? 0 : byte(level(c, y, x) / alpha) }
                    rgba[at + 3] = alpha < 0.5 ? 0 : 255
                } else {
                    for c in 0..<3 { rgba[at + c] = byte(level(planes == 1 ? 0 : c, y, x)) }
                }
            }
        }
        self.init(width: w * r, height: h * r, rgba: rgba)
    }

    /// The picture as PNG (ISO/IEC 15948), 8-bit RGBA, in stored (uncompressed) deflate blocks.
    package var png: Data {
        var raw: [UInt8] = []
        raw.reserveCapacity(height * (width * 4 + 1))
        for y in 0..<height {
            raw.append(0)  // filter: none
            raw += rgba[y * width * 4..<(y + 1) * width * 4]
        }
        var stream: [UInt8] = [0x78, 0x01]
        var from = 0
        repeat {
            let n = min(65_535, raw.count - from)
            stream.append(from + n == raw.count ? 1 : 0)
            stream += [UInt8(n & 255), UInt8(n >> 8), UInt8(~n & 255), UInt8(~n >> 8 & 255)]
            stream += raw[from..<from + n]
            from += n
        } while from < raw.count
        var (a, b): (UInt32, UInt32) = (1, 0)
        for v in raw { (a, b) = ((a + UInt32(v)) % 65_521, (b + (a + UInt32(v)) % 65_521) % 65_521) }
        stream += Self.bigEndian(b << 16 | a)
        var file = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        let header = Self.bigEndian(UInt32(width)) + Self.bigEndian(UInt32(height)) + [8, 6, 0, 0, 0]
        for (kind, body) in [("IHDR", header), ("IDAT", stream), ("IEND", [])] {
            let checked = Array(kind.utf8) + body
            file.append(contentsOf: Self.bigEndian(UInt32(body.count)) + checked + Self.bigEndian(Self.crc(checked)))
        }
        return file
    }

    private static func bigEndian(_ n: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(n >> $0 & 255) } }

    private static let crcTable: [UInt32] = (0..<256).map { n in
        (0..<8).reduce(UInt32(n)) { c, _ in c & 1 == 1 ? 0xEDB8_8320 ^ c >> 1 : c >> 1 }
    }

    private static func crc(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crcTable[Int(($0 ^ UInt32($1)) & 255)] ^ $0 >> 8 }
    }
}

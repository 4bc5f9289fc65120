package import Foundation
import PNG

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

    /// The picture as a PNG file.
    ///
    /// - Throws: `DiffusionError.outOfMemory` when libpng cannot write it.
    package func png() throws(DiffusionError) -> Data {
        do throws(PNG.EncodingError) {
            return Data(try PNG.encode(rgba: rgba, width: width, height: height))
        } catch {
            throw DiffusionError(.outOfMemory, error.description)
        }
    }
}

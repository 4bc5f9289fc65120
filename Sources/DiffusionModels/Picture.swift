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

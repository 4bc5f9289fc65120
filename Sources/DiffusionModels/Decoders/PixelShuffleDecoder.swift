package import Tensors

/// Puts the pixels back that a model sees as channels: with `scale` r, channel (plane · r + i) · r + j of a latent pixel is
/// that plane's pixel (i, j) within an r × r square (pixel shuffle, arXiv 1609.05158). With r = 1 latents are pixels.
package struct PixelShuffleDecoder: LatentDecoder {
    package let scale: Int

    package init(scale: Int) { self.scale = scale }

    /// - Parameter latents: `[B, h, w, planes · scale²]`, −1 to 1. One plane is grey, 3 are RGB, 4 are RGBA with
    ///   premultiplied alpha.
    package func decode(_ latents: FeatureMap) throws(DiffusionError) -> [Picture] {
        let planes = latents.channels / (scale * scale)
        guard planes * scale * scale == latents.channels, planes == 1 || planes == 3 || planes == 4 else {
            throw DiffusionError(
                .unsupported, "a picture of \(latents.channels) channels with pixel_unshuffle \(scale)")
        }
        return (0..<latents.batch).map { picture(latents, $0, planes: planes) }
    }

    private func picture(_ latents: FeatureMap, _ index: Int, planes: Int) -> Picture {
        let (width, height) = (latents.width * scale, latents.height * scale)
        var rgba = [UInt8](repeating: 255, count: width * height * 4)
        for y in 0..<height {
            for x in 0..<width {
                let pixel = (index * latents.height + y / scale) * latents.width + x / scale
                let first = pixel * latents.channels + y % scale * scale + x % scale
                /// 0 to 1.
                func level(_ plane: Int) -> Float {
                    let v = latents.pixels[first + plane * scale * scale]
                    return v.isNaN ? 0 : (min(max(v, -1), 1) + 1) / 2
                }
                func byte(_ v: Float) -> UInt8 { UInt8((min(max(v, 0), 1) * 255).rounded()) }
                let at = (y * width + x) * 4
                if planes == 4 {
                    // Pixel art is either clear or opaque.
                    let alpha = level(3)
                    for c in 0..<3 { rgba[at + c] = alpha < 0.5 ? 0 : byte(level(c) / alpha) }
                    rgba[at + 3] = alpha < 0.5 ? 0 : 255
                } else {
                    for c in 0..<3 { rgba[at + c] = byte(level(planes == 1 ? 0 : c)) }
                }
            }
        }
        return Picture(width: width, height: height, rgba: rgba)
    }
}

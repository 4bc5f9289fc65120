package import Tensors

/// Makes pictures of what a pipeline has denoised.
package protocol LatentDecoder: Sendable {
    /// Pixels of a picture's side for each of its latents' side.
    var scale: Int { get }

    /// - Parameter latents: `[B, h, w, C]`.
    /// - Returns: B pictures of `h · scale` by `w · scale` pixels.
    /// - Throws: `DiffusionError.unsupported` when C channels are no pictures.
    func decode(_ latents: FeatureMap) throws(DiffusionError) -> [Picture]
}

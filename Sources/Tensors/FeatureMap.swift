/// Pictures, or what a model makes of them on their way: `[B, H, W, C]` in f32, the channels of a pixel side by side.
///
/// The extents stand beside the tensor, so that an operation makes one without allocating a shape.
package struct FeatureMap: Sendable {
    /// B, the number of pictures.
    package let batch: Int
    /// H and W, in pixels.
    package let height: Int, width: Int
    /// `[B·H·W, C]`: a row for each pixel.
    package let pixels: Tensor

    /// - Parameter pixels: any shape whose rows are the pixels, `[B·H·W, C]` or `[B, H, W, C]`.
    package init(pixels: Tensor, batch: Int, height: Int, width: Int) {
        precondition(
            pixels.rowCount == batch * height * width && pixels.dtype == .f32,
            "\(pixels.dtype) \(pixels.shape) as \(batch) pictures of \(height) × \(width) pixels")
        (self.pixels, self.batch, self.height, self.width) = (pixels, batch, height, width)
    }

    /// A view on a tensor `[B, H, W, C]`.
    package init(_ tensor: Tensor) {
        precondition(tensor.shape.count == 4, "pictures are [B, H, W, C], not \(tensor.shape)")
        self.init(pixels: tensor, batch: tensor.shape[0], height: tensor.shape[1], width: tensor.shape[2])
    }

    /// C, the numbers of a pixel.
    package var channels: Int { pixels.width }
    /// Numbers in all.
    package var count: Int { pixels.count }
    /// `[B, H, W, C]`.
    package var shape: [Int] { [batch, height, width, channels] }

    /// One picture's pixels: `[H·W, C]`.
    package func picture(_ index: Int) -> Tensor {
        pixels.reshaped([batch, height * width * channels]).rows(index..<index + 1)
            .reshaped([height * width, channels])
    }

    /// Whether `other` has the same extents.
    package func hasShape(of other: FeatureMap) -> Bool {
        batch == other.batch && height == other.height && width == other.width && channels == other.channels
    }
}

extension FeatureMap: Codable {
    private enum CodingKeys: CodingKey { case batch, height, width, pixels }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        batch = try values.decode(Int.self, forKey: .batch)
        height = try values.decode(Int.self, forKey: .height)
        width = try values.decode(Int.self, forKey: .width)
        pixels = try values.decode(Tensor.self, forKey: .pixels)
        let isWhole = [batch, height, width].allSatisfy { (1...(1 << 20)).contains($0) }
        guard isWhole, pixels.dtype == .f32, pixels.rowCount == batch * height * width else {
            throw DecodingError.dataCorruptedError(
                forKey: .pixels, in: values,
                debugDescription: "\(pixels.shape) as \(batch) pictures of \(height) × \(width) pixels")
        }
    }
}

extension Device {
    /// A feature map that holds anything, for an operation to fill. Its memory is the workspace's.
    ///
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func makeFeatureMap(
        batch: Int, height: Int, width: Int, channels: Int
    ) throws(TensorError) -> FeatureMap {
        let pixels = try makeRows(batch * height * width, width: channels)
        return FeatureMap(pixels: pixels, batch: batch, height: height, width: width)
    }

    /// A feature map of the extents of `x` that holds anything.
    package func makeFeatureMap(like x: FeatureMap) throws(TensorError) -> FeatureMap {
        try makeFeatureMap(batch: x.batch, height: x.height, width: x.width, channels: x.channels)
    }
}

internal import CKernels

extension Device {
    /// y[b, j, i] = x[b, i, j]: x is `[batch, rows, columns]`, y `[batch, columns, rows]`.
    package func transpose(_ x: Tensor, batch: Int, rows: Int, columns: Int, into y: Tensor) {
        precondition(
            x.count == batch * rows * columns && y.count == x.count,
            "transposition of \(x.shape) as \(batch) times \(rows) × \(columns) into \(y.shape)")
        let args = nephele_transpose_f32_args(x: x.f32, y: y.f32, rows: rows, columns: columns)
        run(nephele_transpose_f32, args, count: batch * columns, grain: max(1, 16_384 / max(1, rows)))
    }

    /// Pictures as PyTorch has them, `[B, C, H, W]`, as a feature map.
    ///
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func featureMap(
        channelsFirst x: Tensor, batch: Int, height: Int, width: Int
    ) throws(TensorError) -> FeatureMap {
        let y = try makeFeatureMap(
            batch: batch, height: height, width: width, channels: x.count / (batch * height * width))
        transpose(x, batch: batch, rows: y.channels, columns: height * width, into: y.pixels)
        return y
    }

    /// A feature map as PyTorch has it, `[B, C, H, W]`, in memory of its own.
    ///
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func channelsFirst(_ x: FeatureMap) throws(TensorError) -> Tensor {
        let y = try Tensor(uninitialized: [x.batch, x.channels, x.height, x.width])
        transpose(x.pixels, batch: x.batch, rows: x.height * x.width, columns: x.channels, into: y)
        return y
    }

    /// The channels of a followed by those of b, pixel by pixel.
    ///
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func joinChannels(_ a: FeatureMap, _ b: FeatureMap) throws(TensorError) -> FeatureMap {
        precondition(
            a.batch == b.batch && a.height == b.height && a.width == b.width,
            "the channels of \(a.shape) and \(b.shape)")
        let y = try makeFeatureMap(
            batch: a.batch, height: a.height, width: a.width, channels: a.channels + b.channels)
        let args = nephele_join_f32_args(
            a: a.pixels.f32, b: b.pixels.f32, y: y.pixels.f32, a_width: a.channels, b_width: b.channels)
        run(nephele_join_f32, args, count: y.pixels.rowCount, grain: max(1, 16_384 / max(1, y.channels)))
        return y
    }

    /// The pictures of x, and the same once more behind them.
    ///
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func doubled(_ x: FeatureMap) throws(TensorError) -> FeatureMap {
        let y = try makeFeatureMap(batch: 2 * x.batch, height: x.height, width: x.width, channels: x.channels)
        for half in 0..<2 {
            (y.pixels.f32 + half * x.count).update(from: x.pixels.f32, count: x.count)
        }
        return y
    }
}

import Tensors

/// The noise of a drawing: a pure function of each picture's seed, the step and the draw, or what the request gives.
struct DrawingNoise: Sendable {
    /// One a picture.
    let seeds: [UInt64]
    /// The first draw of each step, `[steps, pictures, C, h, w]`; nil: drawn from the seeds.
    let given: Tensor?
    /// C, h and w.
    let channels: Int, height: Int, width: Int

    /// - Parameters:
    ///   - step: of the drawing, from 1; 0 for what it begins with.
    ///   - draw: counts the draws of one step, from 0.
    /// - Returns: standard normal noise, `[pictures, h, w, C]`.
    func callAsFunction(step: Int, draw: Int = 0, on device: Device) throws(TensorError) -> FeatureMap {
        if let given, step > 0, draw == 0 { return try map(given.rows(step - 1..<step), on: device) }
        let rows = try device.makeRows(seeds.count, width: channels * height * width)  // [pictures, C·h·w]
        for (row, seed) in seeds.enumerated() {
            device.fillNormal(rows, row: row, seed: seed, step: step, draw: draw)
        }
        return try map(rows, on: device)
    }

    /// Pictures of the drawing's extents, channels first, as a feature map.
    func map(_ x: Tensor, on device: Device) throws(TensorError) -> FeatureMap {
        try device.featureMap(channelsFirst: x, batch: seeds.count, height: height, width: width)
    }
}

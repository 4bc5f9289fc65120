import Foundation
import Layers
package import Tensors

/// diffusers' UNet2DModel (the U-Net of arXiv 2006.11239).
///
/// B pictures of H × W pixels. Every block's output is `[B, H, W, C]`, with its own H, W and C.
package struct UNet2DModel: Sendable {
    private struct DownBlock {
        var resnets: [ResidualBlock] = []
        var attentions: [SpatialAttention] = []
        var downsampling: Downsampling?
    }
    private struct UpBlock {
        var resnets: [ResidualBlock] = []
        var attentions: [SpatialAttention] = []
        var upsampling: Upsampling?
    }
    private struct Middle {
        var first: ResidualBlock
        var attention: SpatialAttention?
        var second: ResidualBlock
    }
    /// How class labels and vectors join the time embedding.
    private enum ClassEmbedding {
        case none
        /// A row of `[labels, timeWidth]`.
        case table(Tensor)
        /// As a timestep is.
        case timestep(TimestepEmbedding)
        /// A vector as it is.
        case identity
    }

    package let configuration: UNet2DConfiguration
    private let device: Device
    private let convIn: Convolution
    private let timeEmbedding: TimestepEmbedding
    private let classEmbedding: ClassEmbedding
    private let down: [DownBlock]
    private let middle: Middle?
    private let up: [UpBlock]
    private let normOut: GroupNorm
    private let convOut: Convolution

    /// - Parameter directory: holds `config.json` and `diffusion_pytorch_model.safetensors`, or its sharded index.
    /// - Throws: `DiffusionError` that names the file or tensor.
    package init(directory: String, device: Device) throws(DiffusionError) {
        do {
            let path = directory + "/config.json"
            guard let json = FileManager.default.contents(atPath: path) else {
                throw DiffusionError(.invalidCheckpoint, "cannot read \(path)")
            }
            let c = try UNet2DConfiguration(json: json, path: path)
            let checkpoint = try Checkpoint(directory: directory, name: "diffusion_pytorch_model")
            try self.init(c, WeightLoader(checkpoint: checkpoint, device: device, precision: .f32))
        } catch { throw DiffusionError(error) }
    }

    private init(_ c: UNet2DConfiguration, _ loader: WeightLoader) throws {
        configuration = c
        device = loader.device
        let channels = c.blockOutChannels
        let last = channels.count - 1
        let residual = ResidualBlock.Configuration(
            groups: c.groups, epsilon: c.epsilon, timeWidth: c.timeWidth, scaleShift: c.scaleShift)
        func attention(_ name: String, channels: Int) throws -> SpatialAttention {
            let heads = c.heads(of: channels)
            return try SpatialAttention(
                loader, name, channels: channels,
                .init(groups: c.groups, epsilon: c.epsilon, heads: heads.count, headWidth: heads.width))
        }
        convIn = try Convolution(loader, "conv_in", inputs: c.inChannels, outputs: channels[0])
        let sinusoid = TimestepEmbedding.Sinusoid(
            width: channels[0], cosinesFirst: c.flipSinToCos, shift: c.frequencyShift)
        timeEmbedding = try TimestepEmbedding(loader, "time_embedding", sinusoid, outputs: c.timeWidth)
        switch c.classEmbedding {
        case .none: classEmbedding = .none
        case .table(let rows):
            classEmbedding = .table(try loader.table("class_embedding.weight", shape: [rows, c.timeWidth]))
        case .timestep:
            classEmbedding = .timestep(
                try TimestepEmbedding(loader, "class_embedding", sinusoid, outputs: c.timeWidth))
        case .identity: classEmbedding = .identity
        }
        var skips = [channels[0]]  // channels of what the way down leaves for the way up
        var down: [DownBlock] = []
        for (i, outputs) in channels.enumerated() {
            let name = "down_blocks.\(i)"
            var block = DownBlock()
            for j in 0..<c.layersPerBlock {
                let inputs = j == 0 ? channels[max(0, i - 1)] : outputs
                block.resnets.append(
                    try ResidualBlock(loader, name + ".resnets.\(j)", inputs: inputs, outputs: outputs, residual))
                if c.downAttention[i] {
                    block.attentions.append(try attention(name + ".attentions.\(j)", channels: outputs))
                }
                skips.append(outputs)
            }
            if i < last {
                block.downsampling = try Downsampling(
                    loader, name + ".downsamplers.0", channels: outputs, padding: c.downsamplePadding)
                skips.append(outputs)
            }
            down.append(block)
        }
        self.down = down
        middle = c.hasMiddle ? try Self.middle(c, loader, residual) : nil
        var up: [UpBlock] = []
        var width = channels[last]
        for (i, outputs) in channels.reversed().enumerated() {
            let name = "up_blocks.\(i)"
            var block = UpBlock()
            for j in 0...c.layersPerBlock {
                let inputs = width + skips.removeLast()
                block.resnets.append(
                    try ResidualBlock(loader, name + ".resnets.\(j)", inputs: inputs, outputs: outputs, residual))
                width = outputs
                if c.upAttention[i] {
                    block.attentions.append(try attention(name + ".attentions.\(j)", channels: outputs))
                }
            }
            if i < last { block.upsampling = try Upsampling(loader, name + ".upsamplers.0", channels: outputs) }
            up.append(block)
        }
        self.up = up
        normOut = try GroupNorm(
            loader, "conv_norm_out", channels: channels[0], groups: c.groups, epsilon: c.epsilon)
        convOut = try Convolution(loader, "conv_out", inputs: channels[0], outputs: c.outChannels)
    }

    private static func middle(
        _ c: UNet2DConfiguration, _ loader: WeightLoader, _ residual: ResidualBlock.Configuration
    ) throws -> Middle {
        let width = c.blockOutChannels[c.blockOutChannels.count - 1], heads = c.heads(of: width)
        var residual = residual
        residual.outputScale = c.middleScale
        let first = try ResidualBlock(loader, "mid_block.resnets.0", inputs: width, outputs: width, residual)
        var attention: SpatialAttention?
        if c.middleAttention {
            attention = try SpatialAttention(
                loader, "mid_block.attentions.0", channels: width,
                .init(
                    groups: c.middleAttentionGroups, epsilon: c.epsilon, heads: heads.count,
                    headWidth: heads.width, outputScale: c.middleScale))
        }
        let second = try ResidualBlock(loader, "mid_block.resnets.1", inputs: width, outputs: width, residual)
        return Middle(first: first, attention: attention, second: second)
    }

    /// The model's output for pictures x `[B, H, W, inChannels]` at one timestep each.
    ///
    /// - Parameter observe: is shown the output of each block under diffusers' name for it.
    /// - Returns: `[B, H, W, outChannels]`.
    /// - Throws: `DiffusionError.cancelled` when the device was interrupted, `.invalidRequest` for another condition.
    package func callAsFunction(
        _ x: FeatureMap, timesteps: some Collection<Float>, condition: Condition = .none,
        observe: ((String, Tensor) -> Void)? = nil
    ) throws(DiffusionError) -> FeatureMap {
        precondition(
            x.channels == configuration.inChannels && timesteps.count == x.batch,
            "a U-Net of \(configuration.inChannels) channels on \(x.shape) at \(timesteps.count) timesteps")
        do { return try forward(x, timesteps: timesteps, condition: condition, observe: observe) } catch {
            throw DiffusionError(error)
        }
    }

    private func forward(
        _ x: FeatureMap, timesteps: some Collection<Float>, condition: Condition,
        observe: ((String, Tensor) -> Void)?
    ) throws -> FeatureMap {
        guard x.height % sideMultiple == 0, x.width % sideMultiple == 0 else {
            throw DiffusionError(
                .invalidRequest,
                "a picture of \(x.width) × \(x.height): this model needs multiples of \(sideMultiple)")
        }
        // 1. time and condition
        let time = try timeEmbedding(timesteps, on: device)  // [B, timeWidth]
        if let observe { observe("time_embedding", try Tensor(time.floats, shape: time.shape)) }
        try add(condition, to: time)
        device.map(.silu, time, into: time)
        // 2. in
        var h = x
        if configuration.centerInput {
            h = try device.makeFeatureMap(like: x)
            device.weightedSum(2, x.pixels, -1, nil, into: h.pixels)
        }
        h = try convIn(h, on: device)
        observe?("conv_in", h.pixels)
        // 3. down
        var skips: [FeatureMap] = []
        skips.reserveCapacity(1 + down.count * (configuration.layersPerBlock + 1))
        skips.append(h)
        for (i, block) in down.enumerated() {
            for (j, resnet) in block.resnets.enumerated() {
                try checkInterruption()
                h = try resnet(h, time: time, on: device)
                if !block.attentions.isEmpty { h = try block.attentions[j](h, on: device) }
                skips.append(h)
            }
            if let downsampling = block.downsampling {
                h = try downsampling(h, on: device)
                skips.append(h)
            }
            observe?("down_blocks.\(i)", h.pixels)
        }
        // 4. middle
        if let middle {
            h = try middle.first(h, time: time, on: device)
            h = try middle.attention?(h, on: device) ?? h
            h = try middle.second(h, time: time, on: device)
            observe?("mid_block", h.pixels)
        }
        // 5. up
        for (i, block) in up.enumerated() {
            for (j, resnet) in block.resnets.enumerated() {
                try checkInterruption()
                h = try resnet(try device.joinChannels(h, skips.removeLast()), time: time, on: device)
                if !block.attentions.isEmpty { h = try block.attentions[j](h, on: device) }
            }
            if let upsampling = block.upsampling { h = try upsampling(h, on: device) }
            observe?("up_blocks.\(i)", h.pixels)
        }
        // 6. out
        let output = try convOut(try normOut(h, silu: true, on: device), on: device)
        try checkInterruption()
        return output
    }

    /// Adds what the condition says to the time embedding `[B, timeWidth]`.
    private func add(_ condition: Condition, to time: Tensor) throws {
        switch (classEmbedding, condition) {
        case (.none, .none): break
        case (.table(let table), .labels(let labels)) where labels.count == time.rowCount:
            guard labels.allSatisfy({ (0..<Int32(table.rowCount)).contains($0) }) else {
                throw DiffusionError(.invalidRequest, "a class label lies outside 0..<\(table.rowCount)")
            }
            device.addRows(of: table, ids: labels, to: time)
        case (.timestep(let embedding), .labels(let labels)) where labels.count == time.rowCount:
            device.combine(time, try embedding(labels.lazy.map { Float($0) }, on: device), into: time)
        case (.identity, .vectors(let vectors)) where vectors.count == time.count:
            device.combine(time, vectors, into: time)
        default:
            throw DiffusionError(
                .invalidRequest, "this model's condition is \(configuration.classEmbedding), one a picture")
        }
    }

    private func checkInterruption() throws(DiffusionError) {
        if device.isInterrupted { throw DiffusionError(.cancelled, "the drawing was cancelled within a step") }
    }
}

extension UNet2DModel: DenoisingModel {
    package var channels: Int { configuration.inChannels }
    package var height: Int? { configuration.height }
    package var width: Int? { configuration.width }
    /// Every block but the last halves the picture.
    package var sideMultiple: Int { 1 << (configuration.blockOutChannels.count - 1) }

    package var conditionKind: Condition.Kind {
        switch configuration.classEmbedding {
        case .none: .none
        case .table, .timestep: .label
        case .identity: .vector(width: configuration.timeWidth)
        }
    }

    package func predict(
        _ x: FeatureMap, timestep: Float, condition: Condition
    ) throws(DiffusionError) -> FeatureMap {
        try self(x, timesteps: repeatElement(timestep, count: x.batch), condition: condition)
    }
}

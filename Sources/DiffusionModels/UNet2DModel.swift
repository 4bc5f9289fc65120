import Foundation
package import Tensors

/// diffusers' UNet2DModel (the U-Net of arXiv 2006.11239).
package struct UNet2DModel: Sendable {
    private struct DownBlock {
        var resnets: [ResidualBlock]
        var attentions: [SpatialAttention]
        var downsampler: Convolution?
    }
    private struct UpBlock {
        var resnets: [ResidualBlock]
        var attentions: [SpatialAttention]
        var upsampler: Convolution?
    }
    private struct Middle {
        var first: ResidualBlock
        var attention: SpatialAttention?
        var second: ResidualBlock
    }

    /// What `class_labels` are.
    package enum Condition: Sendable {
        case none
        /// One label a picture.
        case labels([Int])
        /// `[B, timeWidth]`, added to the time embedding.
        case vectors(Tensor)
    }

    package let configuration: UNet2DConfiguration
    package let parameterCount: Int
    private let device: Device
    private let convIn: Convolution
    private let time1: Linear, time2: Linear
    private let classTable: Tensor?
    private let class1: Linear?, class2: Linear?
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
            try self.init(
                c,
                reader: WeightReader(
                    checkpoint: try Checkpoint(directory: directory, name: "diffusion_pytorch_model"), device: device))
        } catch { throw DiffusionError(error) }
    }

    private init(_ c: UNet2DConfiguration, reader: WeightReader) throws {
        configuration = c
        device = reader.device
        let channels = c.blockOutChannels
        let last = channels.count - 1
        convIn = try Convolution(reader.scoped("conv_in"), c.inChannels, channels[0])
        time1 = try Linear(reader.scoped("time_embedding.linear_1"), channels[0], c.timeWidth)
        time2 = try Linear(reader.scoped("time_embedding.linear_2"), c.timeWidth, c.timeWidth)
        if case .table(let rows) = c.classEmbedding {
            classTable = try reader.tensor("class_embedding.weight", [rows, c.timeWidth])
        } else {
            classTable = nil
        }
        if c.classEmbedding == .timestep {
            class1 = try Linear(reader.scoped("class_embedding.linear_1"), channels[0], c.timeWidth)
            class2 = try Linear(reader.scoped("class_embedding.linear_2"), c.timeWidth, c.timeWidth)
        } else {
            (class1, class2) = (nil, nil)
        }
        var skips = [channels[0]]  // channels of what the way down leaves for the way up
        var down: [DownBlock] = []
        for (i, outputs) in channels.enumerated() {
            let scope = reader.scoped("down_blocks.\(i)")
            var block = DownBlock(resnets: [], attentions: [])
            for j in 0..<c.layersPerBlock {
                let inputs = j == 0 ? channels[max(0, i - 1)] : outputs
                block.resnets.append(try ResidualBlock(scope.scoped("resnets.\(j)"), inputs, outputs, c))
                if c.downAttention[i] {
                    block.attentions.append(
                        try SpatialAttention(scope.scoped("attentions.\(j)"), channels: outputs, groups: c.groups, c))
                }
                skips.append(outputs)
            }
            if i < last {
                block.downsampler = try Convolution(scope.scoped("downsamplers.0.conv"), outputs, outputs)
                skips.append(outputs)
            }
            down.append(block)
        }
        self.down = down
        if c.hasMiddle {
            let scope = reader.scoped("mid_block"), width = channels[last]
            middle = Middle(
                first: try ResidualBlock(scope.scoped("resnets.0"), width, width, c, outputScale: c.middleScale),
                attention: c.middleAttention
                    ? try SpatialAttention(
                        scope.scoped("attentions.0"), channels: width, groups: c.middleAttentionGroups, c,
                        outputScale: c.middleScale) : nil,
                second: try ResidualBlock(scope.scoped("resnets.1"), width, width, c, outputScale: c.middleScale))
        } else {
            middle = nil
        }
        var up: [UpBlock] = []
        var width = channels[last]
        for (i, outputs) in channels.reversed().enumerated() {
            let scope = reader.scoped("up_blocks.\(i)")
            var block = UpBlock(resnets: [], attentions: [])
            for j in 0...c.layersPerBlock {
                block.resnets.append(
                    try ResidualBlock(scope.scoped("resnets.\(j)"), width + skips.removeLast(), outputs, c))
                width = outputs
                if c.upAttention[i] {
                    block.attentions.append(
                        try SpatialAttention(scope.scoped("attentions.\(j)"), channels: outputs, groups: c.groups, c))
                }
            }
            if i < last { block.upsampler = try Convolution(scope.scoped("upsamplers.0.conv"), outputs, outputs) }
            up.append(block)
        }
        self.up = up
        normOut = try GroupNorm(
            reader.scoped("conv_norm_out"), channels: channels[0], groups: c.groups, epsilon: c.epsilon)
        convOut = try Convolution(reader.scoped("conv_out"), channels[0], c.outChannels)
        parameterCount = reader.checkpoint.names.reduce(0) { $0 + (reader.checkpoint.shape(of: $1)?.reduce(1, *) ?? 0) }
    }

    /// How many times the picture is halved: its height and width must be multiples of 2 to this power.
    package var halvings: Int { configuration.blockOutChannels.count - 1 }

    /// sin and cos of t · 10000^(−i / (C/2 − shift)): `[B, C]`.
    private func timestepEmbedding(_ timesteps: [Int]) throws -> Tensor {
        let width = configuration.blockOutChannels[0], half = width / 2
        var elements: [Float] = []
        let frequencies = (0..<half).map { i -> Float in
            let exponent = Float(-log(10_000.0)) * Float(i) / (Float(half) - configuration.frequencyShift)
            return Float(exp(Double(exponent)))
        }
        for t in timesteps {
            let angles = frequencies.map { Double(Float(t) * $0) }
            let (sines, cosines) = (angles.map { Float(sin($0)) }, angles.map { Float(cos($0)) })
            elements += configuration.flipSinToCos ? cosines + sines : sines + cosines
        }
        return try Tensor(elements, shape: [timesteps.count, width])
    }

    private func silu(_ x: Tensor) throws -> Tensor {
        let y = try Tensor(zeros: x.shape)
        device.map(.silu, x, into: y)
        return y
    }

    /// The model's output for pictures x `[B, H, W, inChannels]` at one timestep each.
    ///
    /// - Parameter observe: is shown the output of each block under diffusers' name for it.
    package func callAsFunction(
        _ x: Tensor, timesteps: [Int], condition: Condition = .none, observe: ((String, Tensor) -> Void)? = nil
    ) throws(DiffusionError) -> Tensor {
        precondition(
            x.shape.count == 4 && x.shape[3] == configuration.inChannels && timesteps.count == x.shape[0],
            "a U-Net of \(configuration.inChannels) channels on \(x.shape) at \(timesteps.count) timesteps")
        do { return try forward(x, timesteps: timesteps, condition: condition, observe: observe) } catch {
            throw DiffusionError(error)
        }
    }

    private func forward(
        _ x: Tensor, timesteps: [Int], condition: Condition, observe: ((String, Tensor) -> Void)?
    ) throws -> Tensor {
        let side = 1 << halvings
        guard x.shape[1] % side == 0, x.shape[2] % side == 0 else {
            throw DiffusionError(
                .invalidRequest, "a picture of \(x.shape[2]) × \(x.shape[1]): this model needs multiples of \(side)")
        }
        // 1. time and condition
        var time = try time2(try silu(try time1(try timestepEmbedding(timesteps), on: device)), on: device)
        if let observe { observe("time_embedding", try Tensor(time.floats, shape: time.shape)) }
        switch (configuration.classEmbedding, condition) {
        case (.none, .none): break
        case (.table(let rows), .labels(let labels)) where labels.count == timesteps.count:
            guard let classTable, labels.allSatisfy({ (0..<rows).contains($0) }) else {
                throw DiffusionError(.invalidRequest, "a class label lies outside 0..<\(rows)")
            }
            device.addRows(of: classTable, ids: labels.map(Int32.init), to: time)
        case (.timestep, .labels(let labels)) where labels.count == timesteps.count:
            guard let class1, let class2 else { break }
            let embedded = try class2(try silu(try class1(try timestepEmbedding(labels), on: device)), on: device)
            device.combine(time, embedded, into: time)
        case (.identity, .vectors(let vectors)) where vectors.count == time.count:
            device.combine(time, vectors, into: time)
        default:
            throw DiffusionError(
                .invalidRequest, "this model's condition is \(configuration.classEmbedding), one a picture")
        }
        time = try silu(time)
        // 2. in
        var h = x
        if configuration.centerInput {
            h = try Tensor(x.floats.map { 2 * $0 - 1 }, shape: x.shape)
        }
        h = try device.convolution(h, convIn.weight, bias: convIn.bias)
        observe?("conv_in", h)
        // 3. down
        var skips = [h]
        for (i, block) in down.enumerated() {
            for (j, resnet) in block.resnets.enumerated() {
                try checkInterruption()
                h = try resnet(h, time: time, on: device)
                if !block.attentions.isEmpty { h = try block.attentions[j](h, on: device) }
                skips.append(h)
            }
            if let sampler = block.downsampler {
                let n = configuration.downsamplePadding
                h = try device.convolution(
                    h, sampler.weight, bias: sampler.bias,
                    border: n == 0 ? Border(top: 0, left: 0, bottom: 1, right: 1) : .all(n), stride: 2)
                skips.append(h)
            }
            observe?("down_blocks.\(i)", h)
        }
        // 4. middle
        if let middle {
            h = try middle.first(h, time: time, on: device)
            h = try middle.attention?(h, on: device) ?? h
            h = try middle.second(h, time: time, on: device)
            observe?("mid_block", h)
        }
        // 5. up
        for (i, block) in up.enumerated() {
            for (j, resnet) in block.resnets.enumerated() {
                try checkInterruption()
                h = try resnet(try Tensor(joining: h, skips.removeLast()), time: time, on: device)
                if !block.attentions.isEmpty { h = try block.attentions[j](h, on: device) }
            }
            if let sampler = block.upsampler {
                h = try device.convolution(h, sampler.weight, bias: sampler.bias, enlarge: 2)
            }
            observe?("up_blocks.\(i)", h)
        }
        // 6. out
        let output = try device.convolution(
            try normOut(h, silu: true, on: device), convOut.weight, bias: convOut.bias)
        try checkInterruption()
        return output
    }

    /// - Throws: `DiffusionError.cancelled` when nobody wants the output any more.
    private func checkInterruption() throws(DiffusionError) {
        if device.isInterrupted { throw DiffusionError(.cancelled, "the drawing was cancelled within a step") }
    }
}

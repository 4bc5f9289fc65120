import Tensors

// B pictures, H × W pixels, C channels. Every picture is [B, H, W, C]; parameter names are those of diffusers.

/// Reads parameters by name and shape.
struct WeightReader {
    let checkpoint: Checkpoint
    let device: Device
    var prefix = ""

    func scoped(_ name: String) -> WeightReader {
        WeightReader(checkpoint: checkpoint, device: device, prefix: prefix + name + ".")
    }

    func has(_ name: String) -> Bool { checkpoint.contains(prefix + name) }

    func tensor(_ name: String, _ shape: [Int]) throws -> Tensor {
        try checkpoint.tensor(prefix + name, shape: shape).widened()
    }
}

struct Linear {
    let weight: PackedMatrix
    let bias: Tensor

    init(_ reader: WeightReader, _ inputs: Int, _ outputs: Int) throws {
        weight = try PackedMatrix(try reader.tensor("weight", [outputs, inputs]), on: reader.device)
        bias = try reader.tensor("bias", [outputs])
    }

    /// x `[rows, inputs]` → `[rows, outputs]` (+ residual).
    func callAsFunction(_ x: Tensor, residual: Tensor? = nil, on device: Device) throws -> Tensor {
        let y = try Tensor(zeros: [x.rowCount, weight.columns])
        try device.matmul(x, weight, bias: bias, residual: residual, into: y)
        return y
    }
}

struct Convolution {
    let weight: PackedConvolution
    let bias: Tensor

    init(_ reader: WeightReader, _ inputs: Int, _ outputs: Int, kernel: Int = 3) throws {
        weight = try PackedConvolution(
            try reader.tensor("weight", [outputs, inputs, kernel, kernel]), on: reader.device)
        bias = try reader.tensor("bias", [outputs])
    }
}

struct GroupNorm {
    let weight: Tensor
    let bias: Tensor
    let groups: Int
    let epsilon: Float

    init(_ reader: WeightReader, channels: Int, groups: Int, epsilon: Float) throws {
        weight = try reader.tensor("weight", [channels])
        bias = try reader.tensor("bias", [channels])
        (self.groups, self.epsilon) = (groups, epsilon)
    }

    func callAsFunction(_ x: Tensor, scaleShift: Tensor? = nil, silu: Bool, on device: Device) throws -> Tensor {
        try device.groupNorm(
            x, groups: groups, weight: weight, bias: bias, epsilon: epsilon, scaleShift: scaleShift, silu: silu)
    }
}

/// norm → SiLU → conv → (+ time, or norm · (1 + scale) + shift) → SiLU → conv, plus the input; diffusers' ResnetBlock2D.
struct ResidualBlock {
    let norm1: GroupNorm, norm2: GroupNorm
    let conv1: Convolution, conv2: Convolution
    let shortcut: Convolution?
    let timeProjection: Linear
    let scaleShift: Bool
    let outputScale: Float

    init(_ reader: WeightReader, _ inputs: Int, _ outputs: Int, _ c: UNet2DConfiguration, outputScale: Float = 1) throws
    {
        norm1 = try GroupNorm(reader.scoped("norm1"), channels: inputs, groups: c.groups, epsilon: c.epsilon)
        conv1 = try Convolution(reader.scoped("conv1"), inputs, outputs)
        timeProjection = try Linear(reader.scoped("time_emb_proj"), c.timeWidth, c.scaleShift ? 2 * outputs : outputs)
        norm2 = try GroupNorm(reader.scoped("norm2"), channels: outputs, groups: c.groups, epsilon: c.epsilon)
        conv2 = try Convolution(reader.scoped("conv2"), outputs, outputs)
        shortcut = inputs == outputs ? nil : try Convolution(reader.scoped("conv_shortcut"), inputs, outputs, kernel: 1)
        scaleShift = c.scaleShift
        self.outputScale = outputScale
    }

    /// - Parameter time: SiLU of the time embedding, `[B, timeWidth]`.
    func callAsFunction(_ x: Tensor, time: Tensor, on device: Device) throws -> Tensor {
        let projected = try timeProjection(time, on: device)  // [B, C] or [B, 2C]
        var h = try norm1(x, silu: true, on: device)
        h = try device.convolution(h, conv1.weight, bias: conv1.bias)
        if !scaleShift {
            let ones = try Tensor([Float](repeating: 1, count: projected.count), shape: projected.shape)
            device.affine(h, scale: ones, shift: projected, silu: false, into: h)
        }
        h = try norm2(h, scaleShift: scaleShift ? projected : nil, silu: true, on: device)
        let input = try shortcut.map { try device.convolution(x, $0.weight, bias: $0.bias, border: .all(0)) } ?? x
        let y = try device.convolution(h, conv2.weight, bias: conv2.bias, residual: input)
        if outputScale != 1 { device.combine(y, y, scaleA: 1 / outputScale, scaleB: 0, into: y) }
        return y
    }
}

/// Self-attention over the pixels of each picture, plus the input; diffusers' Attention in its old «AttentionBlock» form.
struct SpatialAttention {
    let norm: GroupNorm?
    let query: Linear, key: Linear, value: Linear, output: Linear
    let heads: Int, headWidth: Int
    let outputScale: Float

    /// - Parameter groups: of the norm before; nil: none.
    init(_ reader: WeightReader, channels: Int, groups: Int?, _ c: UNet2DConfiguration, outputScale: Float = 1) throws {
        (heads, headWidth) = c.heads(of: channels)
        guard heads >= 1, headWidth <= 512 else {
            throw DiffusionError(
                .unsupported,
                "attention over \(channels) channels with heads of \(headWidth): a head is 1 to 512 wide and within the channels"
            )
        }
        let inner = heads * headWidth
        norm = try groups.map {
            try GroupNorm(reader.scoped("group_norm"), channels: channels, groups: $0, epsilon: c.epsilon)
        }
        // Checkpoints of before 2023 have the second names.
        func named(_ new: String, _ old: String) -> WeightReader {
            reader.scoped(reader.has(new + ".weight") ? new : old)
        }
        let legacy = !reader.has("to_q.weight") && reader.has("query.weight")
        query = try Linear(named("to_q", legacy ? "query" : "to_q"), channels, inner)
        key = try Linear(named("to_k", legacy ? "key" : "to_k"), channels, inner)
        value = try Linear(named("to_v", legacy ? "value" : "to_v"), channels, inner)
        output = try Linear(named("to_out.0", legacy ? "proj_attn" : "to_out.0"), inner, channels)
        self.outputScale = outputScale
    }

    func callAsFunction(_ x: Tensor, on device: Device) throws -> Tensor {
        let (batch, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
        let normal = try norm?(x, silu: false, on: device) ?? x
        let flat = normal.reshaped([batch * pixels, channels])
        let (q, k, v) = (try query(flat, on: device), try key(flat, on: device), try value(flat, on: device))
        let mixed = try Tensor(zeros: q.shape)
        let scale = 1 / Float(headWidth).squareRoot()
        for b in 0..<batch {
            let rows = b * pixels..<(b + 1) * pixels
            device.fullAttention(
                q: q.rows(rows), k: k.rows(rows), v: v.rows(rows), heads: heads, scale: scale, into: mixed.rows(rows))
        }
        let y = try output(mixed, residual: x, on: device).reshaped(x.shape)
        if outputScale != 1 { device.combine(y, y, scaleA: 1 / outputScale, scaleB: 0, into: y) }
        return y
    }
}

package import Foundation

/// `config.json` of a diffusers `UNet2DModel`; absent fields have that class's defaults.
package struct UNet2DConfiguration: Sendable, Equatable {
    package enum ClassEmbedding: Sendable, Equatable {
        case none
        /// A table of so many rows; labels are integers.
        case table(Int)
        /// The label is projected as a timestep is.
        case timestep
        /// A vector is added to the time embedding as it is.
        case identity
    }

    package var height: Int?, width: Int?
    package var inChannels: Int, outChannels: Int
    package var blockOutChannels: [Int]
    /// Whether each block has attention, from the outside in and from the inside out.
    package var downAttention: [Bool], upAttention: [Bool]
    package var hasMiddle: Bool, middleAttention: Bool
    package var middleScale: Float
    package var layersPerBlock: Int
    package var downsamplePadding: Int
    /// Width of a head; nil: one head as wide as the block.
    package var attentionHeadDim: Int?
    package var groups: Int
    /// Groups of the norm before the middle's attention; nil: no norm there.
    package var middleAttentionGroups: Int?
    package var epsilon: Float
    package var scaleShift: Bool
    package var flipSinToCos: Bool
    package var frequencyShift: Float
    package var centerInput: Bool
    package var classEmbedding: ClassEmbedding
    package var timeWidth: Int

    private enum Size: Decodable {
        case one(Int), two([Int])
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let n = try? container.decode(Int.self) {
                self = .one(n)
            } else {
                self = .two(try container.decode([Int].self))
            }
        }
    }

    private struct Fields: Decodable {
        var sample_size: Size?
        var in_channels, out_channels, layers_per_block, downsample_padding, norm_num_groups: Int?
        var attention_head_dim, attn_norm_num_groups, num_class_embeds, time_embedding_dim: Int?
        var block_out_channels: [Int]?
        var down_block_types, up_block_types: [String]?
        var mid_block_type, time_embedding_type, act_fn, resnet_time_scale_shift, class_embed_type: String?
        var downsample_type, upsample_type: String?
        var mid_block_scale_factor, norm_eps, freq_shift: Float?
        var center_input_sample, flip_sin_to_cos, add_attention: Bool?
    }

    /// - Throws: `DiffusionError` that names the field.
    package init(json: Data, path: String) throws(DiffusionError) {
        let f: Fields
        let present: Set<String>
        do {
            f = try JSONDecoder().decode(Fields.self, from: json)
            present = Set(((try JSONSerialization.jsonObject(with: json)) as? [String: Any] ?? [:]).keys)
        } catch {
            throw DiffusionError(
                .invalidCheckpoint, "\(path) is not a U-Net's configuration: \(DiffusionError.brief(error))")
        }
        func require(_ holds: Bool, _ what: String) throws(DiffusionError) {
            if !holds { throw DiffusionError(.invalidCheckpoint, "\(path): \(what)") }
        }
        func support(_ value: String?, _ allowed: [String], _ field: String) throws(DiffusionError) {
            if let value, !allowed.contains(value) {
                throw DiffusionError(.unsupported, "\(path): \(field) \"\(value)\" is not supported, only \(allowed)")
            }
        }
        switch f.sample_size {
        case .one(let n): (height, width) = (n, n)
        case .two(let pair):
            try require(pair.count == 2, "sample_size must be one number or two, not \(pair.count)")
            (height, width) = (pair[0], pair[1])
        case nil: (height, width) = (nil, nil)
        }
        inChannels = f.in_channels ?? 3
        outChannels = f.out_channels ?? 3
        blockOutChannels = f.block_out_channels ?? [224, 448, 672, 896]
        let down = f.down_block_types ?? ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"]
        let up = f.up_block_types ?? ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"]
        for kind in down { try support(kind, ["DownBlock2D", "AttnDownBlock2D"], "down_block_types") }
        for kind in up { try support(kind, ["UpBlock2D", "AttnUpBlock2D"], "up_block_types") }
        downAttention = down.map { $0 == "AttnDownBlock2D" }
        upAttention = up.map { $0 == "AttnUpBlock2D" }
        hasMiddle = !(present.contains("mid_block_type") && f.mid_block_type == nil)
        middleAttention = f.add_attention ?? true
        middleScale = f.mid_block_scale_factor ?? 1
        layersPerBlock = f.layers_per_block ?? 2
        downsamplePadding = f.downsample_padding ?? 1
        attentionHeadDim = present.contains("attention_head_dim") ? f.attention_head_dim : 8
        groups = f.norm_num_groups ?? 32
        epsilon = f.norm_eps ?? 1e-5
        scaleShift = f.resnet_time_scale_shift == "scale_shift"
        middleAttentionGroups = f.attn_norm_num_groups ?? (scaleShift ? nil : groups)
        flipSinToCos = f.flip_sin_to_cos ?? true
        frequencyShift = f.freq_shift ?? 0
        centerInput = f.center_input_sample ?? false
        timeWidth = f.time_embedding_dim ?? 4 * (blockOutChannels.first ?? 0)
        try support(f.mid_block_type, ["UNetMidBlock2D"], "mid_block_type")
        try support(f.time_embedding_type, ["positional"], "time_embedding_type")
        try support(f.act_fn, ["silu", "swish"], "act_fn")
        try support(f.resnet_time_scale_shift, ["default", "scale_shift"], "resnet_time_scale_shift")
        try support(f.class_embed_type, ["timestep", "identity"], "class_embed_type")
        try support(f.downsample_type, ["conv"], "downsample_type")
        try support(f.upsample_type, ["conv"], "upsample_type")
        switch f.class_embed_type {
        case "timestep": classEmbedding = .timestep
        case "identity": classEmbedding = .identity
        default: classEmbedding = f.num_class_embeds.map { .table($0) } ?? .none
        }
        try require(
            (1...12).contains(blockOutChannels.count),
            "block_out_channels has \(blockOutChannels.count) blocks, not 1 to 12")
        try require(
            down.count == blockOutChannels.count && up.count == down.count,
            "\(blockOutChannels.count) block_out_channels, \(down.count) down_block_types and \(up.count) up_block_types"
        )
        try require(
            (1...4_096).contains(inChannels) && (1...4_096).contains(outChannels),
            "\(inChannels) channels in, \(outChannels) out")
        try require((1...16).contains(layersPerBlock), "layers_per_block is \(layersPerBlock), not 1 to 16")
        try require((0...1).contains(downsamplePadding), "downsample_padding is \(downsamplePadding), not 0 or 1")
        try require(groups >= 1, "norm_num_groups is \(groups)")
        try require((1...65_536).contains(timeWidth), "time_embedding_dim is \(timeWidth)")
        try require(
            epsilon > 0 && epsilon < 1 && middleScale.isFinite && middleScale != 0,
            "norm_eps or mid_block_scale_factor is out of range")
        for channels in blockOutChannels {
            try require(
                (2...8_192).contains(channels) && channels % groups == 0,
                "a block of \(channels) channels is not divisible by norm_num_groups \(groups), or absurd")
        }
        try require(
            blockOutChannels[0] % 2 == 0, "an odd number of channels, \(blockOutChannels[0]), in the first block")
        if let g = middleAttentionGroups {
            try require(g >= 1 && (blockOutChannels.last ?? 1) % g == 0, "attn_norm_num_groups is \(g)")
        }
        if case .table(let rows) = classEmbedding {
            try require((1...1_000_000).contains(rows), "num_class_embeds is \(rows)")
        }
        if let d = attentionHeadDim { try require((1...512).contains(d), "attention_head_dim is \(d), not 1 to 512") }
        try require(
            (height ?? 1) >= 1 && (height ?? 1) <= 4_096 && (width ?? 1) >= 1 && (width ?? 1) <= 4_096,
            "sample_size is out of range")
    }

    /// Heads and the width of each in a block of `channels`.
    func heads(of channels: Int) -> (count: Int, width: Int) {
        let width = attentionHeadDim ?? channels
        return (channels / width, width)
    }
}

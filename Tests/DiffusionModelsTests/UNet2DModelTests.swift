import DiffusionModels
import Foundation
import Tensors
import Testing

/// Where the golden checkpoints are.
func golden(_ name: String) throws -> String {
    let folder = try #require(Bundle.module.resourcePath)
    return folder + "/Goldens/" + name
}

/// [B, C, H, W] → [B, H, W, C].
func channelsLast(_ x: Tensor) throws -> Tensor {
    let (b, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3]), elements = x.floats
    var out = [Float](repeating: 0, count: elements.count)
    for i in 0..<b {
        for j in 0..<c { for p in 0..<h * w { out[(i * h * w + p) * c + j] = elements[(i * c + j) * h * w + p] } }
    }
    return try Tensor(out, shape: [b, h, w, c])
}

/// The largest |a − b| / (1 + |b|).
func distance(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { $1.0.isFinite ? max($0, abs($1.0 - $1.1) / (1 + abs($1.1))) : .infinity }
}

/// f32 U-Nets agree with diffusers to this.
let tolerance: Float = 1e-4

@Suite struct UNet2DModelTests {
    static let names = ["tiny", "cifar", "heads", "conditioned", "classes"]

    @Test(arguments: names) func `every block agrees with diffusers`(name: String) throws {
        let values = try SafetensorsFile(path: try golden(name + "/golden.safetensors"))
        let model = try UNet2DModel(
            directory: try golden(name == "cifar" ? name : name + "/unet"), device: Device(threadCount: 2))
        let condition: Condition =
            switch name {
            case "conditioned": .vectors(try values.tensor("class_labels"))
            case "classes": .labels(try values.tensor("class_labels").floats.map { Int32($0) })
            default: .none
            }
        var seen: [String: Tensor] = [:]
        let x = try channelsLast(try values.tensor("sample"))
        let y = try model(FeatureMap(x), timesteps: [7, 801], condition: condition) { seen[$0] = $1 }
        let expected = values.entries.keys.filter { $0.hasPrefix("block.") }
        #expect(Set(expected) == Set(seen.keys.map { "block." + $0 }))
        for key in expected.sorted() {
            let reference = try values.tensor(key)
            let ours = try #require(seen[String(key.dropFirst(6))])
            let rows = reference.shape.count == 4 ? try channelsLast(reference) : reference
            #expect(distance(ours.floats, rows.floats) < tolerance, "\(key)")
        }
        #expect(distance(y.pixels.floats, try channelsLast(try values.tensor("output")).floats) < tolerance)
    }

    @Test(arguments: names) func `a picture's output does not depend on its neighbours, threads or instruction set`(
        name: String
    ) throws {
        let values = try SafetensorsFile(path: try golden(name + "/golden.safetensors"))
        let directory = try golden(name == "cifar" ? name : name + "/unet")
        let x = try channelsLast(try values.tensor("sample"))
        func run(_ device: Device, _ rows: Range<Int>) throws -> [UInt32] {
            let condition: Condition =
                switch name {
                case "conditioned": .vectors(try values.tensor("class_labels").rows(rows))
                case "classes": .labels(Array(try values.tensor("class_labels").floats.map { Int32($0) }[rows]))
                default: .none
                }
            return try UNet2DModel(directory: directory, device: device)(
                FeatureMap(x.rows(rows)), timesteps: [7, 801][rows], condition: condition
            ).pixels.floats.map(\.bitPattern)
        }
        let both = try run(Device(threadCount: 2), 0..<2)
        for set in Device.InstructionSet.available {
            let device = Device(threadCount: 1, instructionSet: set)
            #expect(try run(device, 0..<1) + run(device, 1..<2) == both, "\(set)")
        }
    }

    @Test func `a damaged checkpoint is an error that names what is wrong`() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/nephele-unet-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: try golden("tiny/unet"), toPath: folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let device = Device(threadCount: 1)
        let config = try String(contentsOfFile: folder + "/config.json", encoding: .utf8)
        func expectFailure(_ text: String, mentions: String) throws {
            try text.write(toFile: folder + "/config.json", atomically: true, encoding: .utf8)
            let error = #expect(throws: DiffusionError.self) { try UNet2DModel(directory: folder, device: device) }
            #expect(error?.message.contains(mentions) == true, "\(error?.message ?? "")")
        }
        try expectFailure("{", mentions: "config.json")
        try expectFailure(
            config.replacing("\"in_channels\": 3", with: "\"in_channels\": 4"), mentions: "conv_in.weight")
        try expectFailure(config.replacing("\"in_channels\": 3", with: "\"in_channels\": -1"), mentions: "channels")
        try expectFailure(
            config.replacing("\"norm_num_groups\": 4", with: "\"norm_num_groups\": 0"), mentions: "norm_num_groups")
        try expectFailure(
            config.replacing("\"layers_per_block\": 1", with: "\"layers_per_block\": 1000000"),
            mentions: "layers_per_block")
        try expectFailure(config.replacing("\"AttnDownBlock2D\"", with: "\"KDownBlock2D\""), mentions: "KDownBlock2D")
        try expectFailure(
            config.replacing("\"layers_per_block\": 1", with: "\"layers_per_block\": 2"), mentions: "resnets")
        try config.write(toFile: folder + "/config.json", atomically: true, encoding: .utf8)
        let weights = folder + "/diffusion_pytorch_model.safetensors"
        let bytes = try #require(FileManager.default.contents(atPath: weights))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: weights))
        #expect(throws: DiffusionError.self) { try UNet2DModel(directory: folder, device: device) }
        try FileManager.default.removeItem(atPath: weights)
        #expect(throws: DiffusionError.self) { try UNet2DModel(directory: folder, device: device) }
    }

    @Test func `the worked attention example comes out`() throws {
        // softmax(E Eᵀ / √4) E with W_Q = W_K = W_V = I, by hand in double precision.
        let e: [Float] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]
        let x = try Tensor(e, shape: [3, 4]), y = try Tensor(zeros: [3, 4])
        Device(threadCount: 1).fullAttention(q: x, k: x, v: x, heads: 1, scale: 0.5, into: y)
        for i in 0..<3 {
            let scores = (0..<3).map { j in
                (0..<4).reduce(0.0) { $0 + Double(e[i * 4 + $1]) * Double(e[j * 4 + $1]) } / 2
            }
            let weights = scores.map { exp($0) }
            for d in 0..<4 {
                let expected = (0..<3).reduce(0.0) { $0 + weights[$1] * Double(e[$1 * 4 + d]) } / weights.reduce(0, +)
                #expect(abs(Double(y[i * 4 + d]) - expected) < 1e-6)
            }
        }
    }
}

import Autograd
import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextModels
import Tokenizers

@testable import Training

/// Models all of whose weights are trained, against PyTorch in f64 (`make_text_goldens.py`).
struct TrainedDecoderTests {
    static let names = ["gpt2", "llama"]

    static func path(_ name: String) throws -> String {
        try #require(Bundle.module.url(forResource: "Goldens/\(name)", withExtension: nil)).path
    }

    struct Golden: Decodable {
        var loss: Double
        var separated: Double
        var losses: [Double]
        var norms: [Double]

        init(_ name: String) throws {
            let path = try TrainedDecoderTests.path("\(name)-whole/losses.json")
            self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    private static func load(
        _ name: String, recomputesLayers: Bool = false, on device: Device
    ) throws -> (TrainedDecoder, TokenStream) {
        let directory = try path(name + "-whole")
        let blueprint = try DecoderBlueprint(try ConfigurationFile(path: directory + "/config.json"))
        let model = try TrainedDecoder(blueprint, recomputesLayers: recomputesLayers, on: device)
        try model.load(directory: directory)
        return (model, try stream(separatesDocuments: false))
    }

    private static func stream(separatesDocuments: Bool) throws -> TokenStream {
        try TokenStream(
            [try path("texts.jsonl")], try Tokenizer(directory: try path("chat")), vocabulary: 261, context: 32,
            separatesDocuments: separatesDocuments)
    }

    /// The mean loss of the first batch, and its gradients in the model's parameters.
    private static func addGradients(
        _ model: TrainedDecoder, _ texts: [PassText], dropout: DropoutStream? = nil, on device: Device
    ) throws -> Double {
        let weight = 1 / Double(texts.reduce(0) { $0 + $1.targets.count })
        return try DecoderPass(model, on: device).addGradients(texts, weight: weight, dropout: dropout) * weight
    }

    @Test("A model's loss and the gradients of all its weights are PyTorch's", arguments: names, [false, true])
    func gradients(name: String, recomputes: Bool) throws {
        let device = Device(threadCount: 2), golden = try Golden(name)
        let (model, stream) = try Self.load(name, recomputesLayers: recomputes, on: device)
        let loss = try Self.addGradients(model, (0..<4).flatMap { stream.texts(of: $0) }, on: device)
        #expect(abs(loss - golden.loss) <= 1e-5 * (1 + golden.loss), "\(loss), PyTorch has \(golden.loss)")
        let file = try SafetensorsFile(path: try Self.path(name + "-whole/gradients.safetensors"))
        var seen: Set<String> = []
        for tensor in model.tensors {
            let gradients = Dictionary(
                uniqueKeysWithValues: tensor.parameters.map { ($0.name, $0.gradient) })
            let own = try tensor.value { gradients[$0.name] ?? $0.value }
            let expected = try file.tensor(tensor.name, shape: own.shape).floats, scale = expected.map(abs).max() ?? 0
            let worst = zip(own.floats, expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(scale > 0 && worst <= 2e-4 * scale, "\(tensor.name): \(worst) beside \(scale)")
            seen.insert(tensor.name)
        }
        #expect(seen == Set(file.entries.keys) && Set(model.parameters.map(\.name)).count == model.parameters.count)
    }

    @Test("Gradients have the same bits with every number of threads and instruction set", arguments: names)
    func bits(name: String) throws {
        var first: [[UInt32]]?
        for set in Device.InstructionSet.available {
            for threads in 1...3 {
                let device = Device(threadCount: threads, instructionSet: set)
                let (model, stream) = try Self.load(name, on: device)
                _ = try Self.addGradients(
                    model, (0..<2).flatMap { stream.texts(of: $0) },
                    dropout: DropoutStream(seed: 1, step: 2, pass: 3), on: device)
                let bits = model.parameters.map { $0.gradient.floats.map(\.bitPattern) }
                #expect(bits == first ?? bits, "\(set), \(threads) threads")
                first = first ?? bits
            }
        }
    }

    @Test("Texts of a sequence that do not see each other have PyTorch's loss of each alone", arguments: names)
    func separated(name: String) throws {
        let device = Device(threadCount: 2), (model, _) = try Self.load(name, on: device)
        let texts = try { try Self.stream(separatesDocuments: true) }()
        let all = (0..<4).flatMap { texts.texts(of: $0) }, golden = try Golden(name)
        #expect(all.count > 4 && all.contains { $0.targets.count == $0.ids.count - 1 })
        let loss = try DecoderPass(model, on: device).loss(all) / Double(all.reduce(0) { $0 + $1.targets.count })
        #expect(abs(loss - golden.separated) <= 1e-5 * (1 + loss), "\(loss), PyTorch has \(golden.separated)")
        #expect(abs(golden.loss - golden.separated) > 1e-3)
    }

    @Test("Each token but the first is predicted once, whatever the sequence's length", arguments: [1, 7, 32])
    func packing(context: Int) throws {
        let tokenizer = try Tokenizer(directory: try Self.path("chat"))
        let stream = try TokenStream(
            [try Self.path("texts.jsonl")], tokenizer, vocabulary: 261, context: context, separatesDocuments: false)
        let lines = try String(contentsOfFile: try Self.path("texts.jsonl"), encoding: .utf8).split(separator: "\n")
        #expect(stream.documentCount == lines.count)
        var tokens: [Int32] = []
        for sequence in 0..<stream.count {
            let texts = stream.texts(of: sequence)
            #expect(texts.count == 1 && texts[0].ids.count == context && texts[0].targets.count == context)
            if sequence == 0 { tokens += texts[0].ids.prefix(1) }
            tokens += texts[0].targets.map(\.token)
        }
        #expect(tokens.count == 1 + stream.count * context && stream.tokenCount - tokens.count < context)
        let first = try JSONDecoder().decode([String: String].self, from: Data(lines[0].utf8))["text"] ?? ""
        #expect(tokens.firstIndex(of: 256) == tokenizer.encode(first, addSpecialTokens: true).count)
    }

    @Test("What is dropped is as much as asked for, other every step, and the gradient is its own finite difference")
    func dropout() throws {
        let device = Device(threadCount: 2), directory = try TemporaryDirectory()
        var fields =
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: try Self.path("gpt2-whole/config.json")))) as? [String: Any]
        fields?["embd_pdrop"] = 0.25
        fields?["resid_pdrop"] = 0.5
        try directory.write("config.json", json: try #require(fields))
        let blueprint = try DecoderBlueprint(try ConfigurationFile(path: directory.path + "/config.json"))
        let model = try TrainedDecoder(blueprint, on: device)
        try model.load(directory: try Self.path("gpt2-whole"))
        let texts = try Self.stream(separatesDocuments: false).texts(of: 0), pass = DecoderPass(model, on: device)
        let stream = DropoutStream(seed: 9, step: 1, pass: 0), plain = try pass.loss(texts)
        let dropped = try pass.addGradients(texts, weight: 1, dropout: stream)
        #expect(abs(dropped - plain) > 0.1)
        #expect(try pass.addGradients(texts, weight: 1, dropout: DropoutStream(seed: 9, step: 2, pass: 0)) != dropped)
        for name in ["layers.0.up.weight", "embedding.weight", "layers.1.output.weight"] {
            let parameter = try #require(model.parameters.first { $0.name == name })
            model.parameters.forEach { $0.clearGradient() }
            #expect(try pass.addGradients(texts, weight: 1, dropout: stream) == dropped)
            let slopes = parameter.gradient.floats
            let place = try #require(slopes.indices.max { abs(slopes[$0]) < abs(slopes[$1]) })
            let old = parameter.value[place], step: Float = 4e-3
            let ends = try [step, -step].map { change in
                parameter.value[place] = old + change
                return try pass.addGradients(texts, weight: 1, dropout: stream)
            }
            parameter.value[place] = old
            let slope = (ends[0] - ends[1]) / Double(2 * step)
            #expect(abs(slope - Double(slopes[place])) < 2e-2 * abs(slope), "\(name): \(slope), \(slopes[place])")
        }
        let ones = try Tensor(Array(repeating: 1, count: 40_001), shape: [1, 40_001])
        device.dropout(ones, rate: 0.25, seed: 1, counter: (0, 0, 0), into: ones)
        #expect(abs(ones.floats.reduce(0, +) / 40_001 - 1) < 0.01 && Set(ones.floats) == [0, 1 / 0.75])
    }

    @Test("First weights are transformers' in distribution, and a function of the seed", arguments: names)
    func initialization(name: String) throws {
        let device = Device(threadCount: 2), (model, _) = try Self.load(name, on: device)
        model.initialize(seed: 4)
        let residual: Float = name == "gpt2" ? 0.5 : 1
        for parameter in model.parameters {
            let values = parameter.value.floats
            if values.count > 500 {
                let deviation = (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
                let isProjection = parameter.name.hasSuffix("output.weight") || parameter.name.hasSuffix("down.weight")
                let expected = 0.1 * (isProjection ? residual : 1)
                #expect(abs(deviation / expected - 1) < 0.15, "\(parameter.name): \(deviation)")
            } else if parameter.value.shape.count == 1 {
                #expect(Set(values) == [parameter.name.contains("norm") && parameter.name.hasSuffix("weight") ? 1 : 0])
            }
        }
        let first = model.parameters.map(\.value.floats)
        model.initialize(seed: 4)
        #expect(model.parameters.map(\.value.floats) == first)
        model.initialize(seed: 5)
        #expect(model.parameters.map(\.value.floats) != first)
        #expect(Set(first.filter { $0.count > 500 }.map { $0[0] }).count > 10)
    }

    @Test(
        "A configuration that is not trained is refused by its field",
        arguments: [
            ("attn_pdrop", "0.1"), ("model_type", "\"bert\""), ("embd_pdrop", "1.5"), ("quantization_config", "{}"),
            ("initializer_range", "0"),
        ])
    func refusals(field: String, value: String) throws {
        let directory = try TemporaryDirectory()
        var text = try String(contentsOfFile: try Self.path("gpt2-whole/config.json"), encoding: .utf8)
        text = text.replacing(try Regex("\"\(field)\": [^,]*,"), with: "")
        text = text.replacing("\"use_cache\"", with: "\"\(field)\": \(value), \"use_cache\"")
        try directory.write("config.json", Data(text.utf8))
        let error = #expect(throws: TextModelError.self) {
            try DecoderBlueprint(try ConfigurationFile(path: directory.path + "/config.json"))
        }
        #expect(error?.message.contains("\"\(field)\"") == true, "\(error?.message ?? "")")
    }
}

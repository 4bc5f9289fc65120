import Autograd
import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextModels

@testable import Training

/// Whole models: the loss and the gradients of an adapter on all linear layers, against transformers and PEFT in f64
/// (`make_training_goldens.py`).
struct ModelGradientTests {
    private struct Golden: Decodable {
        var texts: [[Int32]]
        var answers: [[[Int]]]
        var loss: Double
    }

    /// A model, its adapter and what PEFT made of them.
    private struct Case {
        let name: String
        let directory: String
        let golden: Golden

        init(_ name: String) throws {
            self.name = name
            directory = try #require(Bundle.module.url(forResource: "Goldens/\(name)", withExtension: nil)).path
            golden = try JSONDecoder().decode(
                Golden.self, from: Data(contentsOf: URL(fileURLWithPath: directory + "/loss.json")))
        }

        var texts: [TrainingText] {
            zip(golden.texts, golden.answers).map { ids, answers in
                TrainingText(ids: ids, answers: answers.map { $0[0]..<$0[1] })
            }
        }

        /// The mean loss, and the adapter with its gradients.
        func compute(precision: Precision = .auto, on device: Device) throws -> (Double, AdapterParameters) {
            let loaded = try TextModelLoader.load(
                directory: goldens + name.replacing("-dora", with: ""), precision: precision, on: device)
            let model = try TrainableDecoder(loaded, on: device)
            let adapter = try AdapterFile.read(directory, for: model.parts)
            let pass = ModelPass(model: model, memory: TapeMemory(), device: device)
            let count = texts.reduce(0) { $0 + $1.answerCount }
            let sum = try pass.addGradients(texts, adapter, weight: 1 / Double(count))
            return (sum / Double(count), adapter)
        }
    }

    static let names = [
        "llama", "llama-tied-bf16", "llama3-scaled", "mistral", "qwen2", "qwen2-sliding", "qwen3", "phi3", "gemma3",
        "granite", "olmo2", "smollm3", "exaone4", "glm4",
    ]

    @Test(
        "A model's loss and its adapter's gradients are PEFT's",
        arguments: names + ["llama-dora", "qwen2-dora", "phi3-dora"])
    func gradients(name: String) throws {
        let own = try Case(name), (loss, adapter) = try own.compute(on: Device(threadCount: 2))
        #expect(abs(loss - own.golden.loss) <= 1e-5 * (1 + own.golden.loss), "\(loss), PEFT has \(own.golden.loss)")
        let file = try SafetensorsFile(path: own.directory + "/gradients.safetensors")
        var seen = 0
        for parameter in adapter.parameters {
            // A magnitude is a parameter of a module in PEFT, and has another name there than in its files.
            let suffix = parameter.name.hasSuffix("magnitude_vector") ? ".weight" : ""
            let expected = try file.tensor("base_model.model.model." + parameter.name + suffix).floats
            let scale = expected.map(abs).max() ?? 0
            #expect(scale > 0 && expected.count == parameter.gradient.count)
            let worst = zip(parameter.gradient.floats, expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= 2e-4 * scale, "\(parameter.name): \(worst) beside \(scale)")
            seen += 1
        }
        #expect(seen == file.entries.count)
    }

    @Test(
        "Gradients have the same bits with every number of threads and instruction set",
        arguments: ["llama", "gemma3", "llama-dora"])
    func bits(name: String) throws {
        let own = try Case(name)
        var first: [[UInt32]]?
        for set in Device.InstructionSet.available {
            for threads in 1...3 {
                let (loss, adapter) = try own.compute(on: Device(threadCount: threads, instructionSet: set))
                let bits =
                    adapter.parameters.map { $0.gradient.floats.map(\.bitPattern) }
                    + [[UInt32(truncatingIfNeeded: loss.bitPattern), UInt32(loss.bitPattern >> 32)]]
                #expect(bits == first ?? bits, "\(set), \(threads) threads")
                first = first ?? bits
            }
        }
    }

    @Test("A base in whole numbers is trained on as what its weights stand for", arguments: [Precision.int8, .int4])
    func wholeNumbers(precision: Precision) throws {
        let own = try Case("llama"), device = Device(threadCount: 2)
        let (plain, _) = try own.compute(on: device)
        let (rounded, adapter) = try own.compute(precision: precision, on: device)
        #expect(rounded != plain && abs(rounded - plain) < 0.1 * plain)
        #expect(adapter.parameters.allSatisfy { $0.gradient.floats.contains { $0 != 0 } && $0.gradient.isFinite })
    }

    @Test(
        "What has no gradients here is refused by name",
        arguments: [
            ("gpt2", "another form"), ("mixtral", "experts"), ("gemma2", "a cap"), ("gpt-oss", "experts"),
            ("qwen3.5", "layers without grouped attention"), ("deepseek-v2", "layers without grouped attention"),
        ])
    func refusals(name: String, what: String) throws {
        let device = Device(threadCount: 1), loaded = try TextModelLoader.load(directory: goldens + name, on: device)
        let error = #expect(throws: TextModelError.self) { try TrainableDecoder(loaded, on: device) }
        #expect(error?.code == .unsupported && error?.message.contains(what) == true, "\(error?.message ?? "")")
    }
}

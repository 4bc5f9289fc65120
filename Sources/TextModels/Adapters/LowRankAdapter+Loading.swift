import Foundation
import GGUF
package import Layers
package import Tensors

extension LowRankAdapter {
    /// Loads what PEFT saved, `adapter_config.json` and `adapter_model.safetensors`, or llama.cpp's GGUF file of it.
    ///
    /// - Parameters:
    ///   - directory: of these files; or the GGUF file itself.
    ///   - model: whose linear layers it changes; the shapes have to be theirs.
    ///   - byteLimit: what the packed matrices may take.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault; `.resourceExhausted` beyond the limit.
    package init(
        directory: String, for model: any TextModel, byteLimit: Int = .max, on device: Device
    ) throws(TextModelError) {
        do {
            let (file, configuration) = try Self.open(directory, for: model)
            let plan = try AdapterPlan(file, configuration, for: model)
            guard plan.byteCount <= byteLimit else {
                throw TextModelError(
                    .resourceExhausted,
                    "\(directory): the adapter takes \(plan.byteCount) bytes; \(byteLimit) are left for it")
            }
            let contentID = try AdapterContent(file, configuration, device).id()
            self = try AdapterBuilder(file, model, device).adapter(plan, contentID: contentID)
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch let error as TextModelError {
            throw error
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot load \(directory)")
        }
    }

    private static func open(
        _ directory: String, for model: any TextModel
    ) throws -> (AdapterTensors, AdapterConfiguration) {
        guard let path = try ggufFile(directory) else {
            let configuration = try AdapterConfiguration(path: directory + "/adapter_config.json")
            return (try AdapterTensors(directory: directory), configuration)
        }
        let file = try GGUFFile(path: path)
        let (name, configuration) = try GGUFAdapter.read(file)
        guard let layout = Architectures.gguf(name)?.gguf else {
            throw TextModelError(.unsupported, "\(path): architecture \"\(name)\" is not supported")
        }
        let tensors = try AdapterTensors(file, layout: layout, for: model)
        return (tensors, try configuration(tensors))
    }

    private static func ggufFile(_ directory: String) throws -> String? {
        if FileManager.default.fileExists(atPath: directory + "/adapter_config.json") { return nil }
        do { return try GGUFLocation.file(at: directory) } catch {
            throw TextModelError(.unsupported, error.message)
        }
    }

    /// What an adapter calls the model that it is for: a name, or a path where it lay.
    ///
    /// - Throws: `TextModelError` that names the file.
    package static func baseModel(directory: String) throws(TextModelError) -> String? {
        do {
            guard let path = try ggufFile(directory) else {
                return try AdapterConfiguration(path: directory + "/adapter_config.json").baseModel
            }
            return try GGUFHeader(path: path).metadata["general.base_model.0.name"]?.text
        } catch let error as TextModelError {
            throw error
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(directory): \(error)")
        }
    }
}

/// What an adapter computes with, whatever part of the model is here: names of modules as the model has them, and tensors
/// with the scale in B.
private struct AdapterContent {
    private let file: AdapterTensors
    private let configuration: AdapterConfiguration
    private let device: Device

    init(_ file: AdapterTensors, _ configuration: AdapterConfiguration, _ device: Device) {
        (self.file, self.configuration, self.device) = (file, configuration, device)
    }

    func id() throws -> String {
        var digest = NumericsDigest("adapter")
        let modules = file.modules.map { (known: AdapterPlan.split($0.key).module, name: $0.key, tensors: $0.value) }
        for (known, name, tensors) in modules.sorted(by: { $0.known < $1.known }) {
            for role in AdapterTensors.Role.allCases {
                guard let tensor = tensors[role] else { continue }
                let values = try file.tensor(tensor)
                if role == .up || role == .embeddingUp {
                    device.scale(values, by: try configuration.scale(of: name), into: values)
                }
                let tokens = role == .tokens ? configuration.tokens(of: name).map { " \($0)" } ?? "" : ""
                digest.add("\(known) \(Self.meaning(role))\(tokens)", values)
            }
        }
        return digest.finish()
    }

    /// Roles that mean the same have the same name.
    private static func meaning(_ role: AdapterTensors.Role) -> String {
        switch role {
        case .baseWeight: AdapterTensors.Role.weight.rawValue
        case .baseBias: AdapterTensors.Role.bias.rawValue
        default: role.rawValue
        }
    }
}

/// Makes an adapter of its file's tensors.
private struct AdapterBuilder {
    private let file: AdapterTensors
    private let model: any TextModel
    private let device: Device

    init(_ file: AdapterTensors, _ model: any TextModel, _ device: Device) {
        (self.file, self.model, self.device) = (file, model, device)
    }

    func adapter(_ plan: AdapterPlan, contentID: String) throws -> LowRankAdapter {
        let count = (model.linearModules.flatMap(\.parts).map(\.number).max() ?? -1) + 1
        var updates = [LowRankUpdate?](repeating: nil, count: count)
        for (planned, module) in plan.modules {
            let parts = module.parts.map { (outputs: $0.outputs, weight: $0.weight, bias: $0.bias) }
            for (part, update) in zip(module.parts, try self.updates(planned, parts)) {
                updates[part.number] = update
            }
        }
        let (embedding, head) = (try self.embedding(plan), try self.head(plan))
        return LowRankAdapter(
            contentID: contentID, byteCount: plan.byteCount, updates: updates, embedding: embedding, head: head)
    }

    /// What is added to each part of a module.
    private func updates(
        _ planned: AdapterPlan.Module, _ parts: [(outputs: Range<Int>, weight: PackedMatrix, bias: Tensor?)]
    ) throws -> [LowRankUpdate] {
        var (down, up): (Tensor?, Tensor?)
        if let names = planned.tensors[.down].flatMap({ down in planned.tensors[.up].map { (down, $0) } }) {
            down = try file.tensor(names.0)  // [r, K]
            let own = try file.tensor(names.1)  // [N, r]
            device.scale(own, by: planned.scale, into: own)
            guard own.isFinite else {
                throw file.failure("has values in \"\(names.1)\" that are not finite with its scale")
            }
            up = own
        }
        let magnitude = try planned.tensors[.magnitude].map { try file.tensor($0).floats }
        let upBias = try planned.tensors[.upBias].map { try file.tensor($0).floats }
        let trained = try planned.tensors[.baseBias].map { try file.tensor($0).floats }
        let packed = try down.map { try PackedMatrix($0, on: device) }
        return try parts.map { part in
            let count = part.outputs.count
            var gain: [Float]?
            let own = try up.map { up in
                let own = try Tensor(up.rows(part.outputs).floats, shape: [count, up.width])
                if let magnitude, let down {
                    let norms = try weightNorms(part.weight, plus: own, down)
                    let factors = (0..<count).map { magnitude[part.outputs.lowerBound + $0] / norms[$0] }
                    guard factors.allSatisfy(\.isFinite) else {
                        throw file.failure("gives \(planned.name) magnitudes for weights that are zero")
                    }
                    for i in 0..<own.count { own[i] *= factors[i / up.width] }
                    gain = factors
                }
                return own
            }
            var bias: [Float]?
            if upBias != nil || trained != nil {
                let base = part.bias?.floats
                bias = (0..<count).map { n in
                    let output = part.outputs.lowerBound + n
                    let added = upBias.map { $0[output] * planned.scale * (gain?[n] ?? 1) } ?? 0
                    return added + (trained.map { $0[output] - (base?[n] ?? 0) } ?? 0)
                }
            }
            return LowRankUpdate(
                down: packed, up: try own.map { try PackedMatrix($0, on: device) },
                gain: try gain.map { try Tensor($0.map { $0 - 1 }, shape: [count]) },
                bias: try bias.map { try Tensor($0, shape: [count]) })
        }
    }

    /// The length of each row of W + up · down (arXiv 2402.09353, equation 5).
    private func weightNorms(_ weight: PackedMatrix, plus up: Tensor, _ down: Tensor) throws(TensorError) -> [Float] {
        let across = try PackedMatrix(down, transposed: true, on: device)  // [K, r]
        var norms: [Float] = []
        for first in stride(from: 0, to: weight.columns, by: 256) {
            let rows = first..<min(first + 256, weight.columns)
            let sum = try Tensor(zeros: [rows.count, weight.depth])
            device.gather(weight, ids: rows.map { Int32($0) }, into: sum)
            try device.matmul(up.rows(rows), across, residual: sum, into: sum)
            let values = sum.floats
            for row in 0..<rows.count {
                let squares = values[row * weight.depth..<(row + 1) * weight.depth].reduce(0.0) {
                    $0 + Double($1) * Double($1)
                }
                norms.append(Float(squares.squareRoot()))
            }
        }
        return norms
    }

    private func embedding(_ plan: AdapterPlan) throws -> EmbeddingUpdate? {
        var update = EmbeddingUpdate()
        if let name = plan.embeddingTable {
            update.table = try PackedMatrix(try file.tensor(name), on: device)
        }
        if let (down, up, _, scale) = plan.embedding {
            let factors = try file.tensor(down)  // [r, V]
            let own = try file.tensor(up)  // [C, r]
            device.scale(own, by: scale, into: own)
            guard own.isFinite else { throw file.failure("has values in \"\(up)\" that are not finite with its scale") }
            update.down = try PackedMatrix(factors, transposed: true, on: device)
            update.up = try PackedMatrix(own, on: device)
        }
        if let (ids, name) = plan.tokens {
            (update.tokens, update.rows) = (ids, try file.tensor(name))
        }
        return plan.embeddingTable != nil || plan.embedding != nil || plan.tokens != nil ? update : nil
    }

    private func head(_ plan: AdapterPlan) throws -> HeadUpdate? {
        var update = HeadUpdate()
        let own = model.tokenEmbedding
        if let name = plan.headTable { update.table = try PackedMatrix(try file.tensor(name), on: device) }
        if let head = plan.head, let weight = update.table ?? own?.head {
            update.update = try updates(head, [(0..<head.outputs, weight, nil)]).first
        }
        let sharesTokens = plan.tokens != nil && own?.isTied == true
        if let (ids, name) = plan.tokens, sharesTokens {
            (update.tokens, update.rows) = (ids, try PackedMatrix(try file.tensor(name), on: device))
        }
        return plan.headTable != nil || update.update != nil || sharesTokens ? update : nil
    }
}

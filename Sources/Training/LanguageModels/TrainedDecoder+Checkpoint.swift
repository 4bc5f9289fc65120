import Autograd
import Layers
package import Tensors
import TextModels

/// A tensor of a checkpoint, and the parameters that it is: one, or several one below the other.
struct CheckpointTensor {
    let name: String
    let parameters: [Parameter]
    /// Whether the file has rows and columns exchanged (GPT-2's Conv1D).
    let isTransposed: Bool

    init(_ name: String, parameters: [Parameter], isTransposed: Bool = false) {
        precondition(!parameters.isEmpty, "\"\(name)\" of no parameters")
        (self.name, self.parameters, self.isTransposed) = (name, parameters, isTransposed)
    }

    init(_ name: String, _ parameter: Parameter?) { self.init(name, parameters: [parameter].compactMap { $0 }) }

    /// As it stands in the file.
    var shape: [Int] {
        let rows = parameters.reduce(0) { $0 + $1.value.shape[0] }
        guard parameters[0].value.shape.count == 2 else { return [rows] }
        return isTransposed ? [parameters[0].value.width, rows] : [rows, parameters[0].value.width]
    }

    /// The parameters as the file has them.
    ///
    /// - Parameter value: what stands for a parameter: itself, or its average.
    func value(_ value: (Parameter) -> Tensor = \.value) throws(TensorError) -> Tensor {
        var joined = value(parameters[0])
        if parameters.count > 1 {
            let parts = parameters.map(value)
            let rows = parts.reduce(0) { $0 + $1.shape[0] }
            joined = try Tensor(uninitialized: [rows] + Array(parts[0].shape.dropFirst()))
            var first = 0
            for part in parts {
                joined.rows(first..<first + part.shape[0]).copy(from: part)
                first += part.shape[0]
            }
        }
        return isTransposed ? try joined.transposed() : joined
    }

    /// Fills the parameters.
    ///
    /// - Parameter stored: as the file has it, of ``shape``; floats of any type.
    func fill(from stored: Tensor) throws(TensorError) {
        let wide = try stored.widened(), joined = isTransposed ? try wide.transposed() : wide
        var first = 0
        for parameter in parameters {
            let rows = parameter.value.shape[0]
            parameter.value.copy(from: joined.rows(first..<first + rows))
            first += rows
        }
    }
}

extension TrainedDecoder {
    /// The tensors of a checkpoint as transformers names them.
    var tensors: [CheckpointTensor] { blueprint.form == .gpt2 ? gpt2Tensors : llamaTensors }

    private var gpt2Tensors: [CheckpointTensor] {
        let root = "transformer."
        func both(
            _ name: String, _ linears: [TrainedLinear]
        ) -> [CheckpointTensor] {
            let weights = CheckpointTensor(name + ".weight", parameters: linears.map(\.weight), isTransposed: true)
            return [weights, CheckpointTensor(name + ".bias", parameters: linears.compactMap(\.bias))]
        }
        func both(_ name: String, _ norm: TrainedNorm) -> [CheckpointTensor] {
            [CheckpointTensor(name + ".weight", norm.weight), CheckpointTensor(name + ".bias", norm.bias)]
        }
        var all = [CheckpointTensor(root + "wte.weight", embedding), CheckpointTensor(root + "wpe.weight", positions)]
        for (index, layer) in layers.enumerated() {
            let name = root + "h.\(index)."
            all += both(name + "ln_1", layer.attentionNorm)
            all += both(name + "attn.c_attn", [layer.query, layer.key, layer.value])
            all += both(name + "attn.c_proj", [layer.output])
            all += both(name + "ln_2", layer.feedForwardNorm)
            all += both(name + "mlp.c_fc", [layer.up])
            all += both(name + "mlp.c_proj", [layer.down])
        }
        all += both(root + "ln_f", norm)
        if !blueprint.isTied { all.append(CheckpointTensor("lm_head.weight", head)) }
        return all
    }

    private var llamaTensors: [CheckpointTensor] {
        let root = "model."
        func both(_ name: String, _ linear: TrainedLinear?) -> [CheckpointTensor] {
            guard let linear else { return [] }
            let weight = CheckpointTensor(name + ".weight", linear.weight)
            return [weight] + (linear.bias.map { [CheckpointTensor(name + ".bias", $0)] } ?? [])
        }
        var all = [CheckpointTensor(root + "embed_tokens.weight", embedding)]
        for (index, layer) in layers.enumerated() {
            let name = root + "layers.\(index)."
            all.append(CheckpointTensor(name + "input_layernorm.weight", layer.attentionNorm.weight))
            all += both(name + "self_attn.q_proj", layer.query) + both(name + "self_attn.k_proj", layer.key)
            all += both(name + "self_attn.v_proj", layer.value) + both(name + "self_attn.o_proj", layer.output)
            all.append(CheckpointTensor(name + "post_attention_layernorm.weight", layer.feedForwardNorm.weight))
            all += both(name + "mlp.gate_proj", layer.gate) + both(name + "mlp.up_proj", layer.up)
            all += both(name + "mlp.down_proj", layer.down)
        }
        all.append(CheckpointTensor(root + "norm.weight", norm.weight))
        if !blueprint.isTied { all.append(CheckpointTensor("lm_head.weight", head)) }
        return all
    }

    /// First weights as transformers draws them: normal numbers of the configuration's deviation, GPT-2's projections back
    /// to the residual stream by 1/√(2 L) less; norms of ones, biases of zeros. The numbers depend on the seed, the
    /// parameter's name and the place alone.
    package func initialize(seed: UInt64) {
        let range = blueprint.initializerRange
        let residual = blueprint.form == .gpt2 ? 1 / Float(2 * layers.count).squareRoot() : 1
        let projections = Set(layers.flatMap { [$0.output.weight.name, $0.down.weight.name] })
        let norms = Set((layers.flatMap { [$0.attentionNorm, $0.feedForwardNorm] } + [norm]).map(\.weight.name))
        for parameter in parameters {
            if parameter.value.shape.count == 2 {
                let stream = RandomStream.number(of: parameter.name),
                    row = parameter.value.reshaped([1, parameter.value.count])
                device.fillNormal(row, row: 0, seed: seed, step: Int(stream.0), draw: Int(stream.1))
                let scale = projections.contains(parameter.name) ? range * residual : range
                device.scale(parameter.value, by: scale, into: parameter.value)
            } else {
                let value: Float = norms.contains(parameter.name) ? 1 : 0
                parameter.value.write(Array(repeating: value, count: parameter.value.count))
            }
        }
    }

    /// Takes the weights of a checkpoint.
    ///
    /// - Throws: `TensorError` that names the file and the tensor at fault.
    package func load(directory: String) throws(TensorError) {
        let checkpoint = try Checkpoint(directory: directory)
        for tensor in tensors {
            // GPT-2's files differ in what they call the transformer.
            let name = checkpoint.contains(tensor.name) ? tensor.name : Self.shortened(tensor.name)
            try tensor.fill(from: try checkpoint.tensor(name, shape: tensor.shape))
        }
    }

    private static func shortened(_ name: String) -> String {
        let root = LinearModule.roots.first { name.hasPrefix($0) } ?? ""
        return String(name.dropFirst(root.count))
    }
}

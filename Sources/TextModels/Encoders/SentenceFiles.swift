import Foundation
import GGUF
import JSON
import Layers
package import Tensors

/// What a checkpoint's files say of how its states become an embedding or a score, as sentence-transformers writes them:
/// `modules.json` and what it names, `config_sentence_transformers.json`, `sentence_bert_config.json`, and fields of
/// `config.json`. Without any the mean of the states, scaled to length 1, is the embedding.
package struct SentenceFiles: Sendable {
    package struct Prompt: Sendable, Hashable {
        package var name: String
        package var text: String
    }

    /// What an embedding may be cut to.
    package enum Dimensions: Sendable, Hashable {
        case all
        /// Matryoshka embeddings (arXiv 2205.13147): any beginning is an embedding.
        case any
        case some([Int])
    }

    /// What a score is made of a logit by.
    package enum ScoreActivation: Sendable { case sigmoid, identity }

    /// The tokens whose logits after a text say yes and no: a score is their difference. Without a no it is the logit of
    /// yes alone.
    package enum Verdict: Sendable, Hashable {
        case ids(yes: Int32, no: Int32?)
        /// As the tokenizer spells them.
        case tokens(yes: String, no: String?)
    }

    /// Their vectors one after the other.
    package private(set) var pooling: [PoolingMode] = [.mean]
    package private(set) var isNormalized = true
    /// Tokens of a text that an encoder reads, at most; nil where only its context bounds it.
    package private(set) var lengthLimit: Int?
    package private(set) var prompts: [Prompt] = []
    /// The name of the one that is written before a text where a request names none.
    package private(set) var defaultPrompt: String?
    package private(set) var dimensions = Dimensions.all
    package private(set) var scoreActivation = ScoreActivation.sigmoid
    package internal(set) var verdict: Verdict?
    package internal(set) var pair = PairReading()
    /// Where the dense layers are, in their order.
    private var dense: [ConfigurationFile] = []

    /// What holds without any file.
    package init() {}

    /// - Parameters:
    ///   - directory: of the checkpoint, or of a GGUF file, or that file.
    ///   - reranker: what a decoder is whose files do not say how it scores.
    /// - Throws: `TextModelError` that names the file and what of it is not computed here.
    package init(directory: String, reranker: Reranker? = nil) throws(TextModelError) {
        let gguf: String?
        do { gguf = try GGUFLocation.file(at: directory) } catch {
            throw TextModelError(.unsupported, error.message)
        }
        if let gguf {
            try readPooling(gguf: gguf)
            if let reranker { read(reranker) }
            return
        }
        if let modules = try Self.modules(directory) {
            try read(modules, of: directory)
        } else if let file = try Self.file(directory, "1_Pooling/config.json") {
            try readPooling(file)
        }
        try readTexts(directory)
        if let file = try Self.file(directory, "config.json") { try readModel(file) }
        if let file = try Self.file(directory, "config_sentence_transformers.json") { try readPrompts(file) }
        if let reranker { read(reranker) }
    }

    /// The files whose content an embedding or a score depends on besides `config.json` and the weights.
    package static func names(directory: String) -> Set<String> {
        var names: Set = [
            "modules.json", "config_sentence_transformers.json", "1_Pooling/config.json", "tokenizer_config.json",
        ]
        names.formUnion(lengthFiles)
        for module in (try? modules(directory)) ?? [] where !module.path.isEmpty {
            names.formUnion(["config.json", "model.safetensors"].map { module.path + "/" + $0 })
        }
        return names
    }

    private static func file(_ directory: String, _ name: String) throws(TextModelError) -> ConfigurationFile? {
        let path = directory + "/" + name
        return FileManager.default.fileExists(atPath: path) ? try ConfigurationFile(path: path) : nil
    }

    // MARK: modules.json

    private struct Module {
        /// The last part of its class's name.
        var kind: String
        /// Its folder within the checkpoint's.
        var path: String
    }

    private static func modules(_ directory: String) throws(TextModelError) -> [Module]? {
        let path = directory + "/modules.json"
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        func refused(_ what: String) -> TextModelError { TextModelError(.unsupported, "\(path): \(what)") }
        let value: JSONValue
        do { value = try JSONParser.parse(Array(data)) } catch { throw refused("cannot be read: \(error.problem)") }
        guard let elements = value.elements, elements.count <= 64 else {
            throw refused("is not a list of at most 64 modules")
        }
        var modules: [Module] = []
        for element in elements {
            guard let type = element["type"]?.text, let folder = element["path"]?.text else {
                throw refused("a module has no \"type\" or no \"path\"")
            }
            guard !folder.hasPrefix("/"), !folder.split(separator: "/").contains("..") else {
                throw refused("the path \"\(folder)\" leads out of the checkpoint")
            }
            modules.append(Module(kind: type.split(separator: ".").last.map(String.init) ?? type, path: folder))
        }
        return modules
    }

    private mutating func read(_ modules: [Module], of directory: String) throws(TextModelError) {
        isNormalized = false
        for (index, module) in modules.enumerated() {
            let place = "\(directory)/modules.json: the module \"\(module.kind)\""
            func configuration() throws(TextModelError) -> ConfigurationFile {
                try ConfigurationFile(path: "\(directory)/\(module.path)/config.json")
            }
            switch module.kind {
            case "Transformer":
                guard index == 0, module.path.isEmpty || module.path == "." else {
                    throw TextModelError(.unsupported, "\(place) must be the first, in the checkpoint's own folder")
                }
            case "Pooling": try readPooling(configuration())
            case "Dense": dense.append(try configuration())
            case "Normalize": isNormalized = true
            case "LogitScore":
                let file = try configuration()
                guard let yes = try Self.token(file, "true_token_id") else {
                    throw file.refusal("true_token_id", "is missing")
                }
                verdict = .ids(yes: yes, no: try Self.token(file, "false_token_id"))
            case "Dropout": break
            default: throw TextModelError(.unsupported, "\(place) is not supported")
            }
            guard !isNormalized || module.kind == "Normalize" else {
                throw TextModelError(.unsupported, "\(place) after \"Normalize\" is not supported")
            }
        }
    }

    private static func token(_ file: ConfigurationFile, _ name: String) throws(TextModelError) -> Int32? {
        try file.integer(name).map { id throws(TextModelError) in
            guard let id = Int32(exactly: id), id >= 0 else { throw file.refusal(name, "is \(id); it is no token") }
            return id
        }
    }

    /// In the order in which sentence-transformers puts their vectors one after the other.
    private static let flags: [(name: String, mode: PoolingMode)] = [
        ("cls_token", .first), ("max_tokens", .max), ("mean_tokens", .mean), ("mean_sqrt_len_tokens", .meanOfRoot),
        ("weightedmean_tokens", .weightedMean), ("lasttoken", .last),
    ]

    private mutating func readPooling(_ file: ConfigurationFile) throws(TextModelError) {
        if try file.bool("include_prompt") == false {
            throw file.refusal("include_prompt", "is false, which is not supported", .unsupported)
        }
        let known = Set(Self.flags.map { "pooling_mode_" + $0.name })
        for name in file.names where name.hasPrefix("pooling_mode_") && !known.contains(name) {
            try file.refuse(name)
        }
        if file.has("pooling_mode") {
            let names: [String]
            if let text = file.value("pooling_mode")?.text {
                names = [text]
            } else {
                names = try file.texts("pooling_mode") ?? []
            }
            pooling = []
            for name in names {
                guard let mode = PoolingMode(rawValue: name) else {
                    throw file.refusal(
                        "pooling_mode",
                        "is \"\(name)\"; known: \(PoolingMode.allCases.map(\.rawValue).joined(separator: ", "))",
                        .unsupported)
                }
                pooling.append(mode)
            }
        } else {
            pooling = []
            for flag in Self.flags where try file.bool("pooling_mode_" + flag.name) == true {
                pooling.append(flag.mode)
            }
        }
        if pooling.isEmpty { pooling = [.mean] }
    }

    /// A GGUF file's `pooling_type`.
    private mutating func readPooling(gguf path: String) throws(TextModelError) {
        guard let header = try? GGUFHeader(path: path),
            let architecture = header.metadata["general.architecture"]?.text,
            let type = header.metadata[architecture + ".pooling_type"]?.integer
        else { return }
        switch type {
        case 0, 1: pooling = [.mean]
        case 2: pooling = [.first]
        case 3: pooling = [.last]
        case 4: readRanking(header, architecture: architecture)
        default:
            throw TextModelError(
                .unsupported, "\(path): \"\(architecture).pooling_type\" is \(type), which is not supported")
        }
    }

    // MARK: Texts

    /// The names that sentence-transformers looks for.
    private static let lengthFiles = [
        "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
        "sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
        "sentence_xlnet_config.json",
    ]

    private mutating func readTexts(_ directory: String) throws(TextModelError) {
        for name in Self.lengthFiles {
            guard let file = try Self.file(directory, name) else { continue }
            if try file.integer("max_seq_length") != nil {
                lengthLimit = try file.extent("max_seq_length", in: 1...Int(Int32.max))
            }
            try readMessages(file)
            // Where the tokenizer makes small letters itself it asks for nothing.
            if try file.bool("do_lower_case") == true,
                try Self.file(directory, "tokenizer_config.json")?.bool("do_lower_case") != true
            {
                throw file.refusal("do_lower_case", "is true, but the tokenizer keeps capitals", .unsupported)
            }
            break
        }
        // Where sentence-transformers 6 puts it. Without a limit of its own a tokenizer has an enormous one.
        if lengthLimit == nil, let file = try Self.file(directory, "tokenizer_config.json"),
            let most = try file.number("model_max_length"), most >= 1, most <= Double(Int32.max)
        {
            lengthLimit = Int(most)
        }
    }

    private mutating func readPrompts(_ file: ConfigurationFile) throws(TextModelError) {
        if let fields = try file.fields("prompts") {
            for name in fields.names { prompts.append(Prompt(name: name, text: try fields.text(name) ?? "")) }
        }
        guard prompts.count <= 256, prompts.allSatisfy({ $0.name.utf8.count <= 256 && $0.text.utf8.count <= 65_536 })
        else { throw file.refusal("prompts", "has more than 256 entries, or longer ones than 64 KiB") }
        defaultPrompt = try file.text("default_prompt_name")
        if let name = defaultPrompt, !prompts.contains(where: { $0.name == name }) {
            throw file.refusal("default_prompt_name", "is \"\(name)\", which is none of \"prompts\"")
        }
        pair.instruction = defaultPrompt.flatMap { name in prompts.first { $0.name == name }?.text } ?? pair.instruction
        if let name = try file.text("activation_fn") { scoreActivation = try Self.activation(name, file) }
    }

    // MARK: config.json

    private mutating func readModel(_ file: ConfigurationFile) throws(TextModelError) {
        if let name = try file.fields("sentence_transformers")?.text("activation_fn") {
            scoreActivation = try Self.activation(name, file)
        } else if let name = try file.text("sbert_ce_default_activation_function") {
            scoreActivation = try Self.activation(name, file)
        }
        if let sizes = try file.numbers("matryoshka_dimensions") {
            let whole = sizes.compactMap { Int(exactly: $0) }.filter { $0 > 0 && $0 <= 1 << 20 }
            guard whole.count == sizes.count, !whole.isEmpty else {
                throw file.refusal("matryoshka_dimensions", "is not a list of numbers of elements")
            }
            dimensions = .some(whole.sorted())
        } else if try file.bool("is_matryoshka") == true {
            dimensions = .any
        }
        try readClassifierTokens(file)
    }

    private static func activation(
        _ name: String, _ file: ConfigurationFile
    ) throws(TextModelError) -> ScoreActivation {
        switch name.split(separator: ".").last {
        case "Sigmoid": return .sigmoid
        case "Identity": return .identity
        default:
            throw file.refusal(
                "activation_fn", "is \"\(name)\"; scores are taken through Sigmoid or Identity", .unsupported)
        }
    }

    // MARK: Dense layers

    /// Loads the layers behind the pooling.
    ///
    /// - Parameter width: of what goes in.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault.
    package func denseLayers(width: Int, on device: Device) throws(TextModelError) -> DenseLayers {
        var layers = DenseLayers()
        var width = width
        for file in dense {
            let inputs = try file.extent("in_features", in: 1...1 << 20)
            guard inputs == width else {
                throw file.refusal("in_features", "is \(inputs), but what goes in has \(width) numbers")
            }
            for name in ["module_input_name", "module_output_name"] {
                if let given = try file.text(name), given != "sentence_embedding" {
                    throw file.refusal(name, "is \"\(given)\", which is not supported", .unsupported)
                }
            }
            try file.refuse("use_residual")
            let outputs = try file.extent("out_features", in: 1...1 << 20)
            let hasBias = try file.bool("bias") ?? true
            let activation = try Self.layerActivation(file)
            do throws(TensorError) {
                let directory = String(file.path.dropLast("/config.json".count))
                let loader = WeightLoader(checkpoint: try Checkpoint(directory: directory), device: device)
                layers.append(
                    .init(
                        linear: try loader.linear("linear", outputs: outputs, inputs: inputs, bias: hasBias),
                        activation: activation))
            } catch {
                throw TextModelError(error)
            }
            width = outputs
        }
        return layers
    }

    private static func layerActivation(_ file: ConfigurationFile) throws(TextModelError) -> Device.Activation {
        let name = try file.text("activation_function") ?? "torch.nn.modules.activation.Tanh"
        switch name.split(separator: ".").last {
        case "Tanh": return .tanh
        case "Identity": return .identity
        case "ReLU": return .relu
        case "GELU": return .geluErf
        case "SiLU": return .silu
        default: throw file.refusal("activation_function", "is \"\(name)\", which is not supported", .unsupported)
        }
    }
}

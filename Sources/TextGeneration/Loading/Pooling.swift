import Foundation
import GGUF
import JSON
import TextModels

/// How a checkpoint wants its hidden states made into one embedding: the mean of all tokens is what is computed here.
enum Pooling {
    /// Why no embeddings are given; nil where the files want the mean, or say nothing.
    ///
    /// - Parameter directory: as sentence-transformers lays it out, or of a GGUF file.
    static func fault(directory: String) -> TextModelError? {
        if let gguf = try? GGUFLocation.file(at: directory) { return fault(gguf: gguf) }
        return fault(modules: directory + "/modules.json") ?? fault(pooling: directory + "/1_Pooling/config.json")
    }

    private static func refused(_ what: String) -> TextModelError {
        TextModelError(
            .unsupported, "\(what): embeddings of this model are not given; only the mean of all tokens is computed")
    }

    /// A GGUF file's `pooling_type`: 1 is the mean, 0 none.
    private static func fault(gguf: String) -> TextModelError? {
        guard let header = try? GGUFHeader(path: gguf),
            let architecture = header.metadata["general.architecture"]?.text,
            let type = header.metadata[architecture + ".pooling_type"]?.integer, type > 1
        else { return nil }
        return refused("\(gguf): \"\(architecture).pooling_type\" is \(type)")
    }

    private static func json(_ path: String) -> Result<JSONValue, TextModelError>? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return Result { () throws(JSONError) in try JSONParser.parse(Array(data)) }
            .mapError { refused("\(path) cannot be read: \($0.problem)") }
    }

    private static func fault(pooling path: String) -> TextModelError? {
        switch json(path) {
        case nil: return nil
        case .failure(let error): return error
        case .success(.object(let object)):
            for (name, value) in object.members {
                let isMean = name == "pooling_mode_mean_tokens"
                switch value {
                case .bool(let flag) where name.hasPrefix("pooling_mode_") && flag != isMean:
                    return refused("\(path): \"\(name)\" is \(flag)")
                case .string(let mode) where name == "pooling_mode" && mode != "mean":
                    return refused("\(path): \"pooling_mode\" is \"\(mode)\"")
                default: continue
                }
            }
            return nil
        case .success: return refused("\(path) is not a JSON object")
        }
    }

    /// Steps beside the model, its pooling and the scaling to length 1.
    private static func fault(modules path: String) -> TextModelError? {
        switch json(path) {
        case nil: return nil
        case .failure(let error): return error
        case .success(.array(let modules)):
            for module in modules {
                guard let type = module["type"]?.text else { continue }
                let known = ["Transformer", "Pooling", "Normalize"].contains { type.hasSuffix("." + $0) }
                if !known { return refused("\(path): the step \"\(type)\" is not supported") }
            }
            return nil
        case .success: return refused("\(path) is not a list")
        }
    }
}

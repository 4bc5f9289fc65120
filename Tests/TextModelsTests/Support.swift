import Foundation
import Tensors
import TextGeneration
import TextModels
import Tokenizers
import Watermarking

/// Where the workplace's shared data are, if they are.
let sharedData: String? = {
    let path = (ProcessInfo.processInfo.environment["NEPHELE_SHARED"] ?? "../shared") + "/data"
    return FileManager.default.fileExists(atPath: path + "/models") ? path : nil
}()

let goldens = Bundle.module.bundlePath + "/Goldens/"

/// Runs an engine until it is idle; the deltas of each request's choices by "request/choice".
func drain(_ engine: inout EngineCore) throws -> [String: [GenerationDelta]] {
    var deltas: [String: [GenerationDelta]] = [:]
    while !engine.isIdle {
        for delta in try engine.step() { deltas["\(delta.request)/\(delta.choice)", default: []].append(delta) }
    }
    return deltas
}

/// A directory that a test fills and that goes with it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ data: Data) throws {
        try data.write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func write(_ name: String, json: Any) throws {
        try write(name, try JSONSerialization.data(withJSONObject: json))
    }
}

/// A watermark that shows in few tokens.
func greenList(contextWidth: Int = 1) throws -> GreenList {
    try GreenList(key: [UInt8](1...16), share: 16_384, delta: 4, contextWidth: contextWidth)
}

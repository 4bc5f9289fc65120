package import Foundation
package import Tensors
package import TextGeneration
package import Watermarking

/// Large test data that stands beside the repository, if it is there: `NEPHELE_SHARED` or `../shared`. Tests that need it
/// skip without it.
package let sharedData: String? = {
    let path = (ProcessInfo.processInfo.environment["NEPHELE_SHARED"] ?? "../shared") + "/data"
    return FileManager.default.fileExists(atPath: path + "/models") ? path : nil
}()

/// Tiny checkpoints from seeds and what transformers makes of them, with the scripts that made them.
package let goldens =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path + "/"

/// Runs an engine until it is idle; the deltas of each request's choices by "request/choice".
package func drain(_ engine: inout EngineCore) throws -> [String: [GenerationDelta]] {
    var deltas: [String: [GenerationDelta]] = [:]
    while !engine.isIdle {
        for delta in try engine.step() { deltas["\(delta.request)/\(delta.choice)", default: []].append(delta) }
    }
    return deltas
}

/// A directory that a test fills and that goes with it.
package final class TemporaryDirectory {
    package let path: String

    package init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package func write(_ name: String, _ data: Data) throws {
        try data.write(to: URL(fileURLWithPath: path + "/" + name))
    }

    package func write(_ name: String, json: Any) throws {
        try write(name, try JSONSerialization.data(withJSONObject: json))
    }
}

/// A watermark that shows in few tokens.
package func greenList(contextWidth: Int = 1) throws -> GreenList {
    try GreenList(key: [UInt8](1...16), share: 16_384, delta: 4, contextWidth: contextWidth)
}

/// A copy of a golden adapter whose configuration (nil takes a field out) and tensors have been changed.
package func adapterCopy(
    _ name: String, _ changes: [String: Any?] = [:], tensors change: (inout [String: Tensor]) throws -> Void = { _ in }
) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory(), source = goldens + "adapters/\(name)/"
    let data = try Data(contentsOf: URL(fileURLWithPath: source + "adapter_config.json"))
    var config = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    for (key, value) in changes { config[key] = value }
    try directory.write("adapter_config.json", json: config)
    let file = try SafetensorsFile(path: source + "adapter_model.safetensors")
    var tensors: [String: Tensor] = [:]
    for name in file.entries.keys { tensors[name] = try file.tensor(name) }
    try change(&tensors)
    try directory.write("adapter_model.safetensors", try SafetensorsWriter.encode(tensors))
    return directory
}

import Foundation

/// A safetensors file: eight bytes for the length of a JSON header, the header, the tensors' bytes.
enum SafetensorsData {
    /// - Parameter header: of each tensor its type, its shape, and where it lies in `data`.
    static func write(_ header: [String: Any], _ data: Data, to path: String) throws {
        let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
        var file = Data((0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) })
        file.append(json)
        file.append(data)
        try file.write(to: URL(fileURLWithPath: path))
    }
}

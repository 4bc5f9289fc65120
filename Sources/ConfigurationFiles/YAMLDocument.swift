package import Foundation
internal import Yams

/// Converts a YAML document to JSON.
package enum YAMLDocument {
    /// - Parameter file: what errors name.
    /// - Returns: the JSON of a document that is an object, without its fields that begin with `x-`: they are there to be
    ///   merged into others.
    /// - Throws: `ConfigurationError` for one that is no YAML, or no object.
    package static func json(_ text: String, file: String) throws -> Data {
        do {
            let loaded = try Yams.load(yaml: text)
            guard let object = loaded as? [String: Any] else {
                throw ConfigurationError(file: file, "the document is no object")
            }
            return try JSONSerialization.data(
                withJSONObject: object.filter { !$0.key.hasPrefix("x-") },
                options: [.sortedKeys, .withoutEscapingSlashes])
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError(file: file, "\(error)")
        }
    }
}

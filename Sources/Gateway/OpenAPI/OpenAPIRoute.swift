import ConfigurationFiles
import Foundation
import Hummingbird
import JSON

/// `GET /openapi.json`: what every route takes and gives, in OpenAPI 3.1.
struct OpenAPIRoute: RouteGroup {
    /// - Throws: `ConfigurationError` for files that are not as they should be.
    static func document() throws -> Data {
        func text(_ bytes: [UInt8], indentation: Int) -> String {
            String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
                .map { $0.isEmpty ? "" : String(repeating: " ", count: indentation) + $0 }.joined(separator: "\n")
        }
        // The components end with the schemas of requests, which those of answers follow.
        let parts = [
            text(PackageResources.paths_yaml, indentation: 0),
            text(PackageResources.kept_paths_yaml, indentation: 2), "components:",
            text(PackageResources.components_yaml, indentation: 2),
            text(PackageResources.answers_yaml, indentation: 4), text(PackageResources.kept_yaml, indentation: 4),
        ]
        let json = try YAMLDocument.json(parts.joined(separator: "\n"), file: "openapi.yaml")
        return Data(refusals(in: try JSONParser.parse([UInt8](json))).bytes)
    }

    /// The document, in which each operation says in `x-refused` what it refuses by name, and why.
    private static func refusals(in document: JSONValue) -> JSONValue {
        document.changing("paths") { paths in
            RefusedFields.byPath.reduce(paths) { paths, route in
                paths.changing(route.key) { path in
                    path.changing("post") { operation in
                        guard case .object(let object) = operation else { return operation }
                        let refused = route.value.reasons.map { (key: $0.name, value: JSONValue.string($0.why)) }
                        return .object(JSONObject(object.members + [("x-refused", .object(JSONObject(refused)))]))
                    }
                }
            }
        }
    }

    /// What bodies may have, by the document.
    static let knownFields = Result { StrictFields(try JSONParser.parse([UInt8](document()))) }

    /// Read once: the files are part of the program.
    private static let body = Result { ByteBuffer(bytes: try document()) }

    func addRoutes(to router: Router<GatewayContext>) {
        router.get("/openapi.json") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-cache"],
                body: .init(byteBuffer: try Self.body.get()))
        }
    }
}

extension JSONValue {
    /// The object with another value of one member, if it has that.
    fileprivate func changing(_ name: String, _ change: (JSONValue) -> JSONValue) -> JSONValue {
        guard case .object(let object) = self else { return self }
        return .object(JSONObject(object.members.map { ($0.key, $0.key == name ? change($0.value) : $0.value) }))
    }
}

import ConfigurationFiles
import Foundation
import Hummingbird

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
        return try YAMLDocument.json(parts.joined(separator: "\n"), file: "openapi.yaml")
    }

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

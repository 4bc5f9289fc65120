import Accounts
import Foundation
import Hummingbird
import PromptRouting
import StateKeeping
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(5)), .serialized) struct OpenAPITests {
    private func document() throws -> [String: Any] { try json(OpenAPIRoute.document()) }

    @Test func `every route of the router stands in the document, and nothing else does`() throws {
        let gateway = Gateway(
            fleet: Fleet(), routing: try RoutingSource(file: nil), filters: try FilterSet(standard: "off"))
        let routed = gateway.router().routes.map { route in
            let path = route.path.description.split(separator: "/").map { part in
                part == "**" ? "{model}" : part.hasPrefix(":") ? "{\(part.dropFirst())}" : String(part)
            }
            return "\(route.method.rawValue) /\(path.joined(separator: "/"))"
        }
        let paths = try #require(try document()["paths"] as? [String: [String: Any]])
        let described = paths.flatMap { path, operations in operations.keys.map { "\($0.uppercased()) \(path)" } }
        #expect(Set(routed).count == routed.count && routed.sorted() == described.sorted())
    }

    @Test func `what the document refers to is there, and every operation says what may go wrong`() throws {
        let document = try document()
        #expect(document["openapi"] as? String == "3.1.0" && document.keys.allSatisfy { !$0.hasPrefix("x-") })
        var references: Set<String> = []
        func collect(_ value: Any) {
            if let object = value as? [String: Any] {
                if let reference = object["$ref"] as? String { references.insert(reference) }
                object.values.forEach(collect)
            } else if let list = value as? [Any] {
                list.forEach(collect)
            }
        }
        collect(document)
        #expect(references.count > 40)
        for reference in references {
            var place: Any? = document
            for part in reference.split(separator: "/").dropFirst() { place = (place as? [String: Any])?[String(part)] }
            #expect(place != nil, "\(reference)")
        }
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        var operations: [String] = []
        for (path, methods) in paths {
            for operation in methods.values {
                operations.append(try #require(operation["operationId"] as? String))
                let statuses = Set(try #require(operation["responses"] as? [String: Any]).keys)
                #expect(statuses.contains("200"), "\(path)")
                if operation["security"] == nil {
                    #expect(statuses.isSuperset(of: ["400", "401", "413", "500", "503"]), "\(path)")
                }
            }
        }
        #expect(Set(operations).count == operations.count)
    }

    @Test func `the document is served`() async throws {
        try await withWholeGateway { client in
            let answer = try await client.execute(uri: "/openapi.json", method: "GET")
            #expect(answer.status == 200 && answer.headers["content-type"] == "application/json")
            #expect(try json(answer.body)["openapi"] as? String == "3.1.0")
        }
    }

    @Test(
        .enabled(if: Program.python(with: "schemathesis") != nil, "needs a Python with the schemathesis package"))
    func `no request gets an answer that the document does not know`() async throws {
        let script = testsFolder.appendingPathComponent("OpenAPI/check.py").path
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("accounts-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try AccountStore(file: folder.appendingPathComponent("accounts.sqlite").path)
        let keeper = AccountKeeper(store: store, isRecording: true)
        let key = try await store.makeKey(name: "operator", role: .admin).key.secret
        let state = try StateStore(file: folder.appendingPathComponent("accounts.sqlite").path)
        try await withWholeGateway(accounts: keeper, state: state) { client in
            _ = try await Program.run(
                try #require(Program.python(with: "schemathesis")),
                [
                    script, "http://127.0.0.1:\(client.port)", "--models", "auto,llama,tiny", "--examples", "5",
                    "--key", key,
                ])
        }
    }
}

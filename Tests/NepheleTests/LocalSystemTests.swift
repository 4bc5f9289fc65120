import Foundation
import ServiceRuntime
import Supervision
import Testing

@testable import nephele

@Suite struct LocalSystemTests {
    private func services(_ change: (inout LocalSystem.Options) throws -> Void = { _ in }) throws -> [SupervisedService]
    {
        let catalogue = try ModelCatalogue(models: nil)
        var options = LocalSystem.Options()
        options.textModels = [try catalogue.entry("nephele-verse", .text)]
        options.imageModels = [try catalogue.entry("nephele-pixel", .image)]
        try change(&options)
        return try LocalSystem.services(options, directory: "/run/x")
    }

    private func value(_ flag: String, _ service: SupervisedService) -> String? {
        service.arguments.firstIndex(of: flag).map { service.arguments[$0 + 1] }
    }

    @Test func `a system has one process of each service, and a gateway that knows where they are`() throws {
        let services = try services()
        #expect(
            services.map(\.name) == [
                "tokenizer 1", "text-model 1 of nephele-verse", "diffusion 1 of nephele-pixel", "gateway",
            ])
        let gateway = try #require(services.last)
        #expect(gateway.executable.lastPathComponent == "nephele-gateway")
        #expect(value("--tokenizer", gateway) == "ipc:///run/x/tokenizer-*.sock")
        #expect(value("--text-model", gateway) == "ipc:///run/x/text-model-*.sock")
        #expect(value("--diffusion", gateway) == "ipc:///run/x/diffusion-*.sock")
        #expect(value("--port", gateway) == "8080" && value("--port-file", gateway) == "/run/x/port")
        #expect(gateway.arguments.count { $0 == "--expect-model" } == 2)
        // What is not said is left to each program: its environment and its file count then.
        for service in services.dropLast() { #expect(!service.arguments.contains("--precision")) }
    }

    @Test func `replicas share the processors, and every process gets its program's arguments`() throws {
        let services = try services {
            $0.replicas = ["text-model": 2]
            $0.arguments = [.textModel: ["--precision", "int8"], .gateway: ["--filter", "off"]]
        }
        let models = services.filter { $0.name.hasPrefix("text-model") }
        #expect(models.count == 2 && Set(models.map(\.socketStem)).count == 2)
        let share = max(1, ProcessInfo.processInfo.activeProcessorCount / 2)
        for model in models {
            #expect(value("--threads", model) == "\(share)" && value("--precision", model) == "int8")
        }
        #expect(services.filter { $0.arguments.contains("--filter") }.map(\.name) == ["gateway"])
    }

    @Test func `a model that is cut has a process for each shard, which the first one is told of`() throws {
        let services = try services {
            $0.imageModels = []
            $0.cuts = ["nephele-verse": [0..<2, 2..<4, 4..<6]]
            $0.replicas = ["text-shard-1": 2]
            $0.adapters = ["nephele-verse": [try #require(AdapterArgument(argument: "a=/x"))]]
            $0.adapterFolder = "/adapters"
            $0.rerankers = ["nephele-verse": "qwen3"]
        }
        #expect(services.map(\.name).filter { $0.hasPrefix("text-shard") }.count == 3)
        let first = try #require(services.first { $0.name.hasPrefix("text-model") })
        #expect(value("--layers", first) == "0-1" && first.arguments.count { $0 == "--shards" } == 2)
        let shards = services.filter { $0.name.hasPrefix("text-shard") }
        #expect(shards.compactMap { value("--layers", $0) } == ["2-3", "2-3", "4-5"])
        #expect(shards.allSatisfy { $0.executable.lastPathComponent == "nephele-text-model" })
        // Adapters are every part's; how pairs are scored is the first one's.
        #expect(([first] + shards).allSatisfy { value("--adapter", $0) == "a=/x" })
        #expect(([first] + shards).allSatisfy { value("--adapter-folder", $0) == "/adapters" })
        #expect(value("--reranker", first) == "qwen3" && shards.allSatisfy { value("--reranker", $0) == nil })
        let gateway = try #require(services.last)
        #expect(gateway.arguments.count { $0 == "--text-shard" } == 2 && !gateway.arguments.contains("--diffusion"))
    }
}

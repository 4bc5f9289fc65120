import ArgumentParser
import Foundation
import ServiceRuntime
import Testing

@testable import nephele

@Suite struct UpCommandTests {
    /// The arguments that each program gets beside its own.
    private func handedOn(_ arguments: [String]) throws -> [LocalSystem.Program: [String]] {
        let command = try #require(try UpCommand.parse(arguments) as UpCommand?)
        return command.arguments(CommandLineFlags(arguments))
    }

    @Test func `each service gets its own options as the command line has them`() throws {
        let arguments = try handedOn([
            "--filter", "off", "--precision=int8", "--record", "--largest-side", "64", "--sequences", "3", "--port",
            "0",
            "--text-model", "nephele-verse", "--accounts", "a.sqlite", "--configuration", "nephele.yaml",
        ])
        let file = ["--configuration", "nephele.yaml"]
        #expect(arguments[.gateway] == ["--filter", "off", "--record", "--accounts", "a.sqlite"] + file)
        #expect(arguments[.textModel] == ["--precision=int8", "--sequences", "3"] + file)
        #expect(arguments[.diffusion] == ["--largest-side", "64"] + file && arguments[.tokenizer] == file)
        #expect(try handedOn([]).values.allSatisfy(\.isEmpty))
    }

    @Test func `every option stands in one section`() {
        let names = UpCommand.sections.map(\.name)
        #expect(names == ["up", "gateway", "text-model", "diffusion"])
        let options = UpCommand.sections.map { Set($0.options.map(\.name)) }
        let all = UpCommand.sections.flatMap { section in section.options.map { option in option.name } }
        #expect(Set(all).count == all.count)
        #expect(options[0].isSuperset(of: ["models", "text-model", "image-model", "replicas", "shards", "cut"]))
        #expect(options[1].isSuperset(of: ["host", "port", "routes", "filter", "labels", "accounts", "record"]))
        #expect(options[2].isSuperset(of: ["precision", "cache-precision", "speculate"]))
        #expect(options[3] == ["largest-side"])
    }

    @Test(arguments: [
        (["--port", "70000"], "--port is 70000"), (["--largest-side", "0"], "--largest-side is 0"),
        (["--sequences", "0"], "--sequences is 0"), (["--shards", "2", "--cut", "0-1,2-3"], "not both"),
        (["--shards", "65"], "1 to 64"), (["--reranker", "a=bert"], "a=bert"), (["--reranker", "qwen3"], "qwen3"),
        (["--replicas", "text-shard-1=2"], "--replicas names text-shard-1"),
        (["--replicas", "gateway=2"], "gateway=2"),
        (["--precision", "int7"], "int7"), (["--cut", "1-2"], "1-2"), (["--unknown"], "--unknown"),
    ]) func `values out of range are refused by name`(arguments: [String], message: String) {
        let error = #expect(throws: (any Error).self) { try UpCommand.parse(arguments) }
        #expect(error.map { UpCommand.fullMessage(for: $0) }?.contains(message) == true)
    }

    @Test func `replicas and cuts are read from their arguments`() {
        #expect(
            ReplicaCount(argument: "text-model=2")?.count == 2 && ReplicaCount(argument: "text-shard-3=1")?.shard == 3)
        for text in ["", "text-model", "text-model=0", "text-model=65", "text-shard-0=1", "text-shard-01=1", "x=1"] {
            #expect(ReplicaCount(argument: text) == nil, "\(text)")
        }
        #expect(CutArgument(argument: "0-5,6-11")?.layers == [0..<6, 6..<12])
        for text in ["", "0-5,7-11", "1-5", "0-5,", "5-0", "0-5,3-7"] {
            #expect(CutArgument(argument: text) == nil, "\(text)")
        }
    }
}

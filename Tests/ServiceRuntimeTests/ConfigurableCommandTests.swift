import ArgumentParser
import ConfigurationFiles
import Foundation
import ServiceRuntime
import Testing

private struct Shared: ParsableArguments {
    @Option var level: String = "low"
    @Flag var record = false
}

private struct Program: ParsableCommand {
    @Option var port: Int = 8080
    @Option var cacheDir: String?
    @Option(help: "may be repeated") var model: [String] = []
    @Option var accounts: String?
    @Option var accountsAt: String?
    @OptionGroup var shared: Shared
    @OptionGroup var process: ProcessOptions
}

private let sections = [ConfigurationSection("gateway", Program.self)]

private func parse(
    _ arguments: [String] = [], environment: [String: String] = [:], sections: [ConfigurationSection] = sections
) throws -> Program {
    let configured = try ConfiguredArguments(
        arguments, sections: sections, alternatives: [["accounts", "accounts-at"]], environment: environment)
    return try Program.parse(configured.arguments)
}

/// Calls `body` with the path of a file that holds `text`.
private func withFile<R>(_ text: String, _ body: (String) throws -> R) throws -> R {
    let path = FileManager.default.temporaryDirectory.path + "/nephele-\(UUID().uuidString).yaml"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

@Suite struct ConfigurableCommandTests {
    @Test func `a flag counts before the environment, that before the file, and the file before the default`() throws {
        try withFile("gateway:\n  level: file\n") { (path: String) throws -> Void in
            let file = ["--configuration", path], environment = ["NEPHELE_LEVEL": "environment"]
            #expect(try parse(file + ["--level", "flag"], environment: environment).shared.level == "flag")
            #expect(try parse(file + ["--level=flag"], environment: environment).shared.level == "flag")
            #expect(try parse(file, environment: environment).shared.level == "environment")
            #expect(try parse(file).shared.level == "file")
            #expect(try parse().shared.level == "low")
            #expect(try parse(environment: ["NEPHELE_CONFIGURATION": path]).shared.level == "file")
            // As compose files leave variables that nobody set.
            #expect(try parse(file, environment: ["NEPHELE_LEVEL": ""]).shared.level == "file")
            #expect(try parse(environment: ["NEPHELE_CONFIGURATION": ""]).shared.level == "low")
        }
    }

    @Test func `lists, flags, numbers and texts come from a file`() throws {
        let text = """
            # Comments, and sections of other programs, are let alone.
            text-model: { precision: int8, unheard-of: 1 }
            gateway:
              port: 1234
              model: [a, "b c"]
              record: true
              cache-dir: -odd
              bus-keys: /keys
            tokenizer:
            """
        let program = try withFile(text) { try parse(["--configuration=\($0)"]) }
        #expect(program.port == 1234 && program.model == ["a", "b c"] && program.shared.record)
        #expect(program.cacheDir == "-odd" && program.process.busKeys == "/keys")
        #expect(
            try withFile("gateway: { record: false, model: one }") { try parse(["--configuration", $0]) }.model == [
                "one"
            ])
        for empty in ["", "# nothing\n", "gateway:\n", "gateway: {}\n"] {
            #expect(try withFile(empty) { try parse(["--configuration", $0]) }.port == 8080)
        }
    }

    @Test func `variables are named after the options, and those of old keep their names`() throws {
        let program = try parse(environment: [
            "NEPHELE_CACHE": "/cache", "NEPHELE_MODEL": "a,b", "NEPHELE_RECORD": "1", "NEPHELE_BUS_KEYS": "/keys",
            "NEPHELE_HTTP_PORT": "99",
            // What Kubernetes sets beside a service that is called nephele.
            "NEPHELE_PORT": "tcp://10.0.0.1:8080",
        ])
        #expect(program.cacheDir == "/cache" && program.model == ["a", "b"] && program.shared.record)
        #expect(program.process.busKeys == "/keys" && program.port == 99)
        #expect(try !parse(environment: ["NEPHELE_RECORD": "off"]).shared.record)
        #expect(throws: ConfigurationError(file: "NEPHELE_RECORD", "'maybe' is neither true nor false")) {
            try parse(environment: ["NEPHELE_RECORD": "maybe"])
        }
    }

    @Test func `of options that exclude each other the one of the earlier source counts`() throws {
        let environment = ["NEPHELE_ACCOUNTS": "a", "NEPHELE_ACCOUNTS_AT": "b"]
        let both = try parse(environment: environment)
        #expect(both.accounts == "a" && both.accountsAt == nil)
        let flag = try parse(["--accounts-at", "c"], environment: environment)
        #expect(flag.accounts == nil && flag.accountsAt == "c")
        try withFile("gateway: { accounts: file }") { (path: String) throws -> Void in
            let program = try parse(["--configuration", path], environment: ["NEPHELE_ACCOUNTS_AT": "b"])
            #expect(program.accounts == nil && program.accountsAt == "b")
        }
    }

    @Test(arguments: [
        ("gatway:\n  port: 1\n", 1, 1, "'gatway' is not known here; did you mean 'gateway'?"),
        ("gateway:\n  prot: 1\n", 2, 3, "'prot' is not known here; did you mean 'port'?"),
        ("gateway:\n  something: 1\n", 2, 3, "'something' is not known here; known are: port, cache-dir, model"),
        ("gateway:\n  configuration: other.yaml\n", 2, 3, "'configuration' is not known here"),
        ("gateway:\n  port: [1, 2]\n", 2, 9, "one value is expected here"),
        ("gateway:\n  level:\n    a: 1\n", 3, 5, "one value is expected here"),
        ("gateway:\n  model:\n    - a: 1\n", 3, 7, "a value is expected here"),
        ("gateway:\n  record: perhaps\n", 2, 11, "'perhaps' is neither true nor false"),
        ("gateway:\n  record: [true]\n", 2, 11, "true or false is expected here"),
        ("gateway: 7\n", 1, 10, "names and values"),
        ("- gateway\n", 1, 1, "names and values"),
        ("gateway:\n  port: 1\n  port: 2\n", 2, 3, "twice"),
        ("gateway: [\n", 2, 1, "expected"),
    ]) func `what is wrong with a file is told with its line`(text: String, line: Int, column: Int, message: String)
        throws
    {
        try withFile(text) { (path: String) throws -> Void in
            let error = #expect(throws: ConfigurationError.self) { try parse(["--configuration", path]) }
            #expect(
                error?.file == path && error?.line == line && error?.column == column, "\(error.map { "\($0)" } ?? "")")
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `a file that cannot be read is an error, but not to those who ask for help`() throws {
        let error = #expect(throws: ConfigurationError.self) { try parse(["--configuration", "/nonexistent.yaml"]) }
        #expect(error?.file == "/nonexistent.yaml" && error?.message.contains("cannot be read") == true)
        for help in ["--help", "-h"] {
            let configured = try ConfiguredArguments(
                ["--configuration", "/nonexistent.yaml", help], sections: sections, environment: [:])
            #expect(configured.arguments.last == help)
        }
    }

    @Test func `a value of the wrong type is told with the place where it is set`() throws {
        func places(_ environment: [String: String], _ arguments: [String] = []) throws -> [String] {
            let configured = try ConfiguredArguments(arguments, sections: sections, environment: environment)
            let error = #expect(throws: (any Error).self) { try Program.parse(configured.arguments) }
            return configured.places(in: error.map { Program.message(for: $0) } ?? "")
        }
        #expect(try places(["NEPHELE_HTTP_PORT": "many"]) == ["NEPHELE_HTTP_PORT: --port is set here"])
        try withFile("gateway:\n  level: x\n  port: many\n") { (path: String) throws -> Void in
            #expect(try places([:], ["--configuration", path]) == ["\(path):3:9: --port is set here"])
        }
        #expect(try places([:], ["--port", "many"]) == [])
    }

    @Test
    func `options of a group can stand in a section of their own, and are handed on as the command line has them`()
        throws
    {
        let shared = ConfigurationSection("text-model", Shared.self, isWhole: false)
        let own = ConfigurationSection("up", Program.self, except: shared.options, readsEnvironment: false)
        let text = "up: { port: 1 }\ntext-model: { level: file, sequences: 3 }\n"
        try withFile(text) { (path: String) throws -> Void in
            let program = try parse(
                ["--configuration", path], environment: ["NEPHELE_HTTP_PORT": "2"], sections: [own, shared])
            #expect(program.port == 1 && program.shared.level == "file")
            #expect(
                try parse(["--configuration", path], environment: ["NEPHELE_LEVEL": "e"], sections: [own, shared])
                    .shared.level == "e")
        }
        let flags = CommandLineFlags(["--level", "high", "--port=3", "--record", "--model", "a", "--", "--level"])
        #expect(flags.arguments(of: shared.options) == ["--level", "high", "--record"])
        #expect(flags.arguments(of: own.options) == ["--port=3", "--model", "a"])
        #expect(!own.options.contains { $0.name == "level" || $0.name == "configuration" || $0.name == "help" })
    }
}

import Accounts
import ArgumentParser
import Benchmarks
import Console
import Foundation
import Supervision

struct BenchGatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "What the gateway adds to a request, and how many it takes.",
        discussion: """
            The gateway has processor 0 for itself, with keys, limits, routes and the content filter on; clients and a \
            worker that answers at once have the others. Chats of 200 characters, answers of 160.
            """)

    @Option(help: "Requests a second at which times are measured.")
    var rate: Int = GatewayBenchmark.Options().rate

    @Option(help: "Seconds of each measurement.")
    var seconds: Int = GatewayBenchmark.Options().seconds

    @Option(help: "Connections for the highest rate.")
    var connections: Int = GatewayBenchmark.Options().connections

    @Option(help: "Streams that are open together.")
    var streams: Int = GatewayBenchmark.Options().streams

    @Option(help: "The gateway's content filter, as its --filter.")
    var filter: String = "default"

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        for (name, value) in [
            ("rate", rate), ("seconds", seconds), ("connections", connections), ("streams", streams),
        ]
        where !(1...100_000).contains(value) {
            throw ValidationError("--\(name) is \(value); it takes 1 to 100000")
        }
        guard ProcessInfo.processInfo.processorCount > 1 else {
            throw ValidationError("this needs two processors, one for the gateway and one for all else")
        }
    }

    func run() async throws {
        let directory = try RunDirectory()
        defer { directory.remove() }
        let last = ProcessInfo.processInfo.processorCount - 1
        // What this process starts, inherits it.
        try Self.start(["taskset", "-a", "-p", "-c", "1-\(last)", "\(getpid())"]).waitUntilExit()
        let store = try AccountStore(file: directory.path + "/accounts.sqlite")
        let key = try await store.makeKey(name: "bench", limits: .init(requestsPerMinute: 1 << 30)).key.secret
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let worker = try Self.start([own.path, InstantWorker.argument, directory.path])
        defer { worker.terminate() }
        let gateway = try Self.start([
            "taskset", "-c", "0", own.deletingLastPathComponent().path + "/nephele-gateway", "--port", "0",
            "--port-file", directory.path + "/port", "--tokenizer", "ipc://\(directory.path)/tokenizer.sock",
            "--text-model", "ipc://\(directory.path)/text-model.sock", "--accounts",
            directory.path + "/accounts.sqlite",
            "--filter", filter,
        ])
        defer { gateway.terminate() }
        let port = try await Self.port(writtenTo: directory.path + "/port", by: gateway)
        var options = GatewayBenchmark.Options()
        (options.rate, options.seconds) = (rate, seconds)
        (options.connections, options.streams) = (connections, streams)
        let report = try await GatewayBenchmark.run(
            .init(gateway: gateway.processIdentifier, port: port, directory: directory.path, key: key),
            options: options)
        if json { return Terminal.line(try BenchCommand.encode(report)) }
        for line in Self.lines(report) { Terminal.line(line) }
    }

    private static func start(_ command: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = Pipe()
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    private static func port(writtenTo file: String, by gateway: Process) async throws -> Int {
        while gateway.isRunning {
            let text = try? String(contentsOfFile: file, encoding: .utf8)
            if let port = text.flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) {
                let ready = URL(string: "http://127.0.0.1:\(port)/readyz")
                if let ready, (try? Data(contentsOf: ready)) != nil { return port }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SupervisionError("nephele-gateway ended with \(gateway.terminationStatus) before it was ready")
    }

    private static func lines(_ report: GatewayBenchmark.Report) -> [String] {
        func number(_ value: Double) -> String { String(format: "%.2f", value) }
        var table = Table(["a whole answer", "p50 ms", "p99 ms"])
        table.append(["on the bus, \(report.rate)/s", number(report.direct.p50), number(report.direct.p99)])
        table.append([
            "through the gateway", number(report.throughGateway.p50), number(report.throughGateway.p99),
        ])
        table.append(["  added", number(report.added.p50), number(report.added.p99)])
        table.append(["one at a time", number(report.alone.p50), number(report.alone.p99)])
        let streams = report.streams
        return table.lines + [
            "\(Int(report.requestsPerSecond)) requests/s at most, \(Int(report.processorTime)) µs of the gateway's "
                + "processor each",
            "\(streams.count) open streams, a token each 200 ms: late by p50 \(number(streams.lateness.p50)) ms, p99 "
                + "\(number(streams.lateness.p99)) ms; \(Int(streams.processorShare * 100))% of the processor, "
                + "\(streams.bytesEach / 1_024) KiB each",
        ]
    }
}

package import Foundation
internal import Messages
internal import RPC
internal import ZeroMQ
package import ZeroMQTransport

/// `nephele bench bus`: the bus between two processes beside a bare libzmq loop with as many frames.
package enum BusBenchmark {
    /// One way to the other process.
    package struct Figures: Codable, Sendable {
        /// Round trips with one call outstanding, in microseconds.
        package var p50 = 0.0
        package var p99 = 0.0
        /// With 64 outstanding.
        package var callsPerSecond = 0.0
    }

    package struct Comparison: Codable, Sendable {
        package var transport: String
        /// Calls from ordinary tasks.
        package var bus: Figures
        /// Calls from tasks on the transport's executor.
        package var busOnExecutor: Figures
        package var bare: Figures

        /// The bus's median round trip over the bare one's; at most 2 is the aim.
        package func latencyRatio(_ figures: Figures) -> Double {
            figures.p50 / max(bare.p50, .leastNonzeroMagnitude)
        }

        /// The bus's rate over the bare one's; at least 0.5 is the aim.
        package func throughputRatio(_ figures: Figures) -> Double {
            figures.callsPerSecond / max(bare.callsPerSecond, .leastNonzeroMagnitude)
        }
    }

    /// The hidden argument that makes the executable the other process.
    package static let serverArgument = "--bus-benchmark-server"

    private static let payloadBytes = 64
    /// As long as the header of a call to `Echo`.
    private static let headerBytes = 80
    private static let outstanding = 64
    /// The rate is taken from so many times the calls that the times are: a second or so.
    private static let callsForRate = 40

    // MARK: The other process

    /// Serves until standard input ends; to be called with what followed `serverArgument`.
    package static func serve(_ arguments: [String]) throws {
        guard arguments.count == 2 else {
            throw RPCError(.invalidArgument, "\(serverArgument) takes bus|bare and an endpoint, got \(arguments)")
        }
        let report = { (address: String) in FileHandle.standardOutput.write(Data("\(address)\n".utf8)) }
        Thread.detachNewThread {
            while let data = try? FileHandle.standardInput.read(upToCount: 1), !data.isEmpty {}
            exit(0)
        }
        if arguments[0] == "bare" {
            try BareEcho.serve(arguments[1], bound: report)
        } else {
            let transport = try ZeroMQTransport(keys: .ofEnvironment())
            let server = RPCServer(
                ServiceDescription(service: "echo"), services: [EchoService()],
                transports: [transport.server(arguments[1])])
            report(try server.start()[0])
            withExtendedLifetime(server) {
                while true { Thread.sleep(forTimeInterval: 3600) }
            }
        }
    }

    /// The executable that runs now, started again as a server.
    package final class OtherProcess {
        private let process = Process()
        private let input = Pipe()
        package let address: String

        /// - Parameters:
        ///   - executable: one that hands `serverArgument` to `serve`.
        ///   - keys: the other process's too.
        package init(executable: URL, _ kind: String, _ endpoint: String, keys: BusKeys? = nil) throws {
            let output = Pipe()
            var environment = ProcessInfo.processInfo.environment
            environment["NEPHELE_BUS_KEYS"] = keys?.directory
            process.environment = environment
            process.executableURL = executable
            process.arguments = [BusBenchmark.serverArgument, kind, endpoint]
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            var line = Data()
            while let byte = try output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty, byte != Data("\n".utf8)
            {
                line.append(byte)
            }
            address = String(decoding: line, as: UTF8.self)
            guard !address.isEmpty else {
                throw RPCError(.unavailable, "\(executable.path) ended before it served; run it by hand to see why")
            }
        }

        package var identifier: Int32 { process.processIdentifier }

        /// Ends it without any chance to say goodbye, and waits for that.
        package func kill() {
            _ = Foundation.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        deinit {
            try? input.fileHandleForWriting.close()
        }
    }

    // MARK: Measuring

    /// - Parameter rounds: the bus and the bare loop take turns; each figure is the median of its rounds. A tenth more
    ///   is done before each, to warm up.
    package static func run(
        executable: URL, withKeys: Bool = false, rounds: Int = 5, calls: Int = 5000
    ) async throws -> [Comparison] {
        var comparisons: [Comparison] = []
        let folder = FileManager.default.temporaryDirectory.path + "/nephele-bench-\(UInt32.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for transport in ["ipc", "tcp"] + (withKeys ? ["tcp with keys"] : []) {
            var keys: BusKeys?
            if transport == "tcp with keys" {
                _ = try KeyRing(directory: folder).update(["echo"])
                keys = try BusKeys(directory: folder + "/echo")
            }
            var bus: [Figures] = []
            var direct: [Figures] = []
            var bare: [Figures] = []
            for _ in 0..<rounds {
                bare.append(try measureBare(executable, endpoint(transport), calls))
                bus.append(try await measureBus(executable, endpoint(transport), calls, keys, onExecutor: false))
                direct.append(try await measureBus(executable, endpoint(transport), calls, keys, onExecutor: true))
            }
            comparisons.append(
                Comparison(
                    transport: transport, bus: median(bus), busOnExecutor: median(direct), bare: median(bare)))
        }
        return comparisons
    }

    private static func endpoint(_ transport: String) -> String {
        transport.hasPrefix("tcp")
            ? "tcp://127.0.0.1:*"
            : "ipc://\(FileManager.default.temporaryDirectory.path)/nephele-bench-\(UInt32.random(in: 0 ... .max)).sock"
    }

    private static func measureBare(_ executable: URL, _ endpoint: String, _ calls: Int) throws -> Figures {
        let other = try OtherProcess(executable: executable, "bare", endpoint)
        let client = try BareEcho.Client(other.address, headerBytes: headerBytes, payloadBytes: payloadBytes)
        var times: [Double] = []
        for call in 0..<(calls + calls / 10) {
            let start = ContinuousClock.now
            try client.send()
            try client.receive()
            if call >= calls / 10 { times.append(microseconds(.now - start)) }
        }
        let many = calls * callsForRate
        for _ in 0..<outstanding { try client.send() }
        var start = ContinuousClock.now
        for call in 0..<(many + many / 10) {
            if call == many / 10 { start = .now }
            try client.receive()
            try client.send()
        }
        let seconds = microseconds(.now - start) / 1e6
        return figures(times, rate: Double(many) / seconds)
    }

    private static func measureBus(
        _ executable: URL, _ endpoint: String, _ calls: Int, _ keys: BusKeys?, onExecutor: Bool
    ) async throws -> Figures {
        let other = try OtherProcess(executable: executable, "bus", endpoint, keys: keys)
        let transport = try ZeroMQTransport(keys: keys)
        let client = try RPCClient(target: other.address, transport: transport)
        defer { client.close() }
        let figures = try await withTaskExecutorPreference(onExecutor ? transport.executor : nil) {
            try await measure(client, calls)
        }
        return withExtendedLifetime(other) { figures }
    }

    private static func measure(_ client: RPCClient, _ calls: Int) async throws -> Figures {
        let request = Wire.EchoRequest(payload: [UInt8](repeating: 2, count: payloadBytes))
        var times: [Double] = []
        for call in 0..<(calls + calls / 10) {
            let start = ContinuousClock.now
            _ = try await client.call(Wire.Echo.echo, request)
            if call >= calls / 10 { times.append(microseconds(.now - start)) }
        }
        let each = calls * callsForRate / outstanding
        try await callAtOnce(client, request, each: each / 10)
        let start = ContinuousClock.now
        try await callAtOnce(client, request, each: each)
        let seconds = microseconds(.now - start) / 1e6
        return figures(times, rate: Double(each * outstanding) / seconds)
    }

    private static func callAtOnce(_ client: RPCClient, _ request: Wire.EchoRequest, each: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<outstanding {
                group.addTask {
                    for _ in 0..<each { _ = try await client.call(Wire.Echo.echo, request) }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func microseconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) * 1e6 + Double(duration.components.attoseconds) / 1e12
    }

    private static func figures(_ times: [Double], rate: Double) -> Figures {
        let sorted = times.sorted()
        return Figures(p50: sorted[sorted.count / 2], p99: sorted[sorted.count * 99 / 100], callsPerSecond: rate)
    }

    private static func median(_ figures: [Figures]) -> Figures {
        func middle(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        return Figures(
            p50: middle(figures.map(\.p50)), p99: middle(figures.map(\.p99)),
            callsPerSecond: middle(figures.map(\.callsPerSecond)))
    }

    // MARK: Showing

    package static func table(_ comparisons: [Comparison]) -> String {
        comparisons.map { comparison in
            func line(_ name: String, _ figures: Figures) -> String {
                String(
                    format: "%@ p50 %7.1f µs (× %.2f)   p99 %7.1f µs   %8.0f calls/s (× %.2f)",
                    name.padding(toLength: 18, withPad: " ", startingAt: 0), figures.p50,
                    comparison.latencyRatio(figures), figures.p99, figures.callsPerSecond,
                    comparison.throughputRatio(figures))
            }
            return [
                line("\(comparison.transport) bare", comparison.bare),
                line("\(comparison.transport) bus", comparison.bus),
                line("  on executor", comparison.busOnExecutor),
            ].joined(separator: "\n")
        }.joined(separator: "\n") + "\nAims: p50 at most × 2 of bare, calls/s at least × 0.5."
    }

    package static func json(_ comparisons: [Comparison]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(comparisons), as: UTF8.self)
    }
}

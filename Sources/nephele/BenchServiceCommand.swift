import ArgumentParser
import Benchmarks
import Console
import Foundation
import Layers
import ServiceRuntime
import Supervision
import Tensors
import TextModelOptions

extension BenchCommand {
    struct Service: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "service",
            abstract: "What streaming clients of the whole system see, beside the engine alone.",
            discussion: """
                Measures the engine in a process of its own, then starts gateway, tokenizer and text model over ipc and \
                streams completions to all clients at once.
                """)

        @Option(help: "A text model by name in --models, or embedded.")
        var model: String

        @Option(help: "The directory of your models, one checkpoint directory each.")
        var models: String?

        @Option(help: "How weights are held: auto (the checkpoint's own), f32, bf16, f16, int8 or int4.")
        var precision: Precision = .auto

        @Option(help: "Clients that stream at once.")
        var clients: Int = ServiceBenchmark.Options().clients

        @Option(help: "Tokens of each prompt.")
        var prompt: Int = ServiceBenchmark.Options().prompt

        @Option(help: "Tokens of each answer.")
        var generate: Int = ServiceBenchmark.Options().generate

        @Flag(help: "Print JSON.")
        var json = false

        private struct Comparison: Codable {
            var engine: Double
            var service: ServiceBenchmark.Report
            /// The service's tokens a second over the engine's.
            var share: Double

            private enum CodingKeys: String, CodingKey {
                case engine = "engine_tokens_per_second"
                case service, share
            }
        }

        func validate() throws {
            for (name, value) in [("clients", clients), ("prompt", prompt), ("generate", generate)] where value < 1 {
                throw ValidationError("--\(name) is \(value); it must be at least 1")
            }
        }

        func run() async throws {
            let entry = try ModelCatalogue(models: models).entry(model, .text)
            let engine = try measureEngine(entry)
            var options = LocalSystem.Options()
            options.textModels = [entry]
            options.port = 0
            options.arguments[.textModel] = ["--precision", precision.rawValue]
            // A checkpoint of random weights writes without spaces, which a filter holds back as possible base64.
            options.arguments[.gateway] = ["--filter", "off"]
            let system = try LocalSystem(options)
            var wanted = ServiceBenchmark.Options()
            (wanted.clients, wanted.prompt, wanted.generate) = (clients, prompt, generate)
            let measure = wanted, isJSON = json
            let outcome = try await system.run { client in
                let vocabulary = 256  // every tokenizer has as many
                let (host, port) = (client.address.host ?? "127.0.0.1", client.address.port ?? 80)
                // Once for warmth.
                var reports: [ServiceBenchmark.Report] = []
                for _ in 0..<4 {
                    reports.append(
                        try await ServiceBenchmark.run(
                            host: host, port: port, model: entry.name, vocabulary: vocabulary, options: measure))
                }
                let report = reports.dropFirst().sorted { $0.tokensPerSecond < $1.tokensPerSecond }[1]
                let share = report.tokensPerSecond / engine
                if isJSON {
                    Terminal.line(
                        try BenchCommand.encode(Comparison(engine: engine, service: report, share: share)))
                } else {
                    Terminal.line(
                        "\(measure.clients) clients see \(Int(report.tokensPerSecond.rounded())) tokens/s, "
                            + "\(Int((share * 100).rounded()))% of the engine's \(Int(engine.rounded())); first token after "
                            + "\(Int(report.timeToFirstToken.rounded())) ms, from token to token p50 "
                            + "\(Int(report.interToken.p50.rounded())) ms, p99 \(Int(report.interToken.p99.rounded())) ms"
                    )
                }
            }
            if outcome == .interrupted { throw ExitCode(130) }
        }

        /// Tokens a second of as many sequences in the engine, by `bench text` in a process of its own.
        private func measureEngine(_ entry: ModelCatalogue.Entry) throws -> Double {
            let process = Process(), output = Pipe()
            process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments = [
                "bench", "text", "--model", "\(entry.name)=\(entry.directory)", "--precision", precision.rawValue,
                "--prompt", "\(prompt)", "--generate", "\(generate)", "--batch", "\(clients)", "--prefill", "\(prompt)",
                "--json",
            ]
            process.standardOutput = output
            try process.run()
            let data = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            guard process.terminationStatus == 0,
                let rate = try JSONDecoder().decode(TextBenchmark.Report.self, from: data).decode.first?.tokensPerSecond
            else { throw SupervisionError("`nephele bench text` failed for \(entry.name)") }
            return rate
        }
    }
}

import ArgumentParser
import Benchmarks
import Foundation

@main
struct Nephele: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nephele", abstract: "Generative-AI serving: text and pictures by services on a bus.",
        discussion: "New here? `nephele demo` starts everything, writes a poem, draws a picture, and stops.",
        subcommands: [
            UpCommand.self, PullCommand.self, DemoCommand.self, ChatCommand.self, DrawCommand.self, StatusCommand.self,
            TopCommand.self,
            ModelsCommand.self, RouteCommand.self, ReloadCommand.self, HealthCommand.self, KeysCommand.self,
            UsageCommand.self, ExportCommand.self,
            QuantizeCommand.self, DataCommand.self, TrainCommand.self, FinetuneCommand.self, EvaluateCommand.self,
            LearnCommand.self,
            BenchCommand.self,
        ])

    /// Benchmarks start this executable once more, as the process on the other side.
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            if arguments.first == BusBenchmark.serverArgument {
                try BusBenchmark.serve(Array(arguments.dropFirst()))
                return
            }
            if arguments.first == InstantWorker.argument {
                try InstantWorker.serve(Array(arguments.dropFirst()))
                return
            }
            if let up = UpCommand.configuration.commandName, arguments.first == up {
                return await UpCommand.start(Array(arguments.dropFirst()), of: Self.self, path: [up])
            }
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}

import ArgumentParser
import Console
import EmbeddedModels
import Foundation
import GatewayClient
import ServiceRuntime
import Supervision

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Starts the system on the embedded models, chats, draws, and stops.")

    @Option(help: "What the chat is asked.")
    var chat: String = "写一首关于明月的诗"

    @Option(help: "What is drawn.")
    var draw: String = "a blue potion"

    @Option(help: "Where the picture is saved.")
    var output: String = "nephele-demo.png"

    func run() async throws {
        let catalogue = try ModelCatalogue(models: nil)
        var options = LocalSystem.Options()
        options.textModels = [try catalogue.entry(EmbeddedModels.text, .text)]
        options.imageModels = [try catalogue.entry(EmbeddedModels.picture, .image)]
        options.port = 0
        let log = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-demo-\(UUID().uuidString).log")
        guard FileManager.default.createFile(atPath: log.path, contents: nil) else {
            throw SupervisionError("cannot write \(log.path); set TMPDIR to a directory that can be written")
        }
        let system = try LocalSystem(options, output: .file(try FileHandle(forWritingTo: log)))
        Terminal.line("Starting gateway, tokenizer, text-model and diffusion as processes of their own …")
        let started = ContinuousClock.now
        let (question, prompt, output) = (chat, draw, output)
        do {
            let outcome = try await system.run { client in
                let seconds = ((ContinuousClock.now - started) / .seconds(1)).formatted(
                    .number.precision(.fractionLength(1)))
                Terminal.line("Ready at \(client.address) after \(seconds) s.\n")
                try await Self.show(client, question: question, prompt: prompt, output: output)
            }
            if outcome == .interrupted { throw ExitCode(130) }
        } catch let code as ExitCode {
            try? FileManager.default.removeItem(at: log)
            throw code
        } catch {
            let tail = ((try? String(contentsOf: log, encoding: .utf8)) ?? "").split(separator: "\n").suffix(20)
            if !tail.isEmpty { Terminal.line("\nWhat the services said last:\n" + tail.joined(separator: "\n")) }
            throw error
        }
        try? FileManager.default.removeItem(at: log)
        Terminal.line("All services have stopped. `nephele up` keeps them running.")
    }

    private static func show(_ client: GatewayClient, question: String, prompt: String, output: String) async throws {
        Terminal.line("\(EmbeddedModels.text) is asked: \(question)\n")
        var conversation = Conversation(client: client, model: EmbeddedModels.text, options: .init())
        let answer = try await conversation.ask(question)
        let rate = answer.rate.map { ", \(Int($0.rounded())) tokens/s" } ?? ""
        Terminal.line("\n\n(\(answer.tokens) tokens\(rate))\n")
        Terminal.line("\(EmbeddedModels.picture) draws: \(prompt)\n")
        let files = try await Drawing(client: client).draw(ImageRequest(model: EmbeddedModels.picture, prompt: prompt))
        for file in files { try Drawing.show(file) }
        for path in try Drawing.save(files, to: output) { Terminal.line("Saved as \(path)") }
    }
}

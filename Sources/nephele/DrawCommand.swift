import ArgumentParser
import Console
import DiffusionModels
import Foundation
import GatewayClient
import Tensors

struct DrawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "draw", abstract: "Draws a picture by a gateway, or from a model's directory without services.",
        discussion: """
            With a directory as --model the pipeline runs in this process. --latents then gives the noise to begin \
            with: a safetensors file with `latents` [pictures, C, h, w], and optionally `noise` \
            [steps, pictures, C, h, w], what each step adds.
            """)

    @OptionGroup var gateway: GatewayOption

    @Argument(help: "What is to be seen.")
    var prompt: String = ""

    @Option(help: "A model by name, or a diffusers directory (with a slash in it).")
    var model: String?

    @Option(name: .customShort("n"), help: "Pictures.")
    var count: Int = 1

    @Option(help: "Equal seeds draw equal pictures.")
    var seed: Int64?

    @Option(help: "Denoising steps; the model's own by default.")
    var steps: Int?

    @Option(help: "How strongly the prompt is followed; the model's own by default.")
    var guidanceScale: Float?

    @Option(help: "What is not to be seen.")
    var negativePrompt: String?

    @Option(help: "Where the picture is saved.")
    var output: String = "drawing.png"

    @Option(help: "Noise to begin with; only with a directory as --model.")
    var latents: String?

    @Option(help: "Where the final latents are written; only with a directory as --model.")
    var outputLatents: String?

    func validate() throws {
        let isDirectory = model?.contains("/") == true
        guard isDirectory || (latents == nil && outputLatents == nil) else {
            throw ValidationError("--latents and --output-latents need a directory as --model, for example ./my-model")
        }
        guard (1...10).contains(count) else { throw ValidationError("-n is \(count); give 1 to 10") }
        guard isDirectory || !prompt.isEmpty else { throw ValidationError("say what is to be drawn") }
    }

    func run() async throws {
        let files: [Data]
        if let model, model.contains("/") {
            files = try drawHere(model)
        } else {
            let client = try gateway.client()
            let name = try await client.model(model, modality: "image")
            var request = ImageRequest(model: name, prompt: prompt)
            (request.n, request.seed, request.steps) = (count, seed, steps)
            (request.guidance_scale, request.negative_prompt) = (guidanceScale, negativePrompt)
            files = try await Drawing(client: client).draw(request)
        }
        for file in files { try Drawing.show(file) }
        for path in try Drawing.save(files, to: output) { Terminal.line("Saved as \(path)") }
    }

    private func drawHere(_ directory: String) throws -> [Data] {
        let device = Device(threadCount: ProcessInfo.processInfo.activeProcessorCount)
        let pipeline = try DiffusionPipeline(directory: directory, device: device)
        let first = seed.map { UInt64(bitPattern: $0) } ?? .random(in: 0...UInt64(Int64.max))
        var request = DiffusionRequest(prompt: prompt, seeds: (0..<UInt64(count)).map { first &+ $0 })
        (request.steps, request.guidanceScale, request.negativePrompt) = (steps, guidanceScale, negativePrompt)
        if let latents {
            let file = try SafetensorsFile(path: latents)
            let given = try file.tensor("latents")
            request.seeds = (0..<UInt64(given.shape.first ?? 1)).map { first &+ $0 }
            request.latents = given
            if file.entries["noise"] != nil { request.noise = try file.tensor("noise") }
        }
        var job = try pipeline.makeJob(request)
        let bar = ProgressBar("denoising")
        while !job.isFinished {
            let progress = try job.step()
            if Terminal.isInteractive { Terminal.write(bar.line(progress.step, of: progress.steps)) }
        }
        if Terminal.isInteractive { Terminal.line() }
        if let outputLatents {
            try SafetensorsWriter.encode(["latents": job.latents()])
                .write(to: URL(fileURLWithPath: outputLatents), options: .atomic)
        }
        return try job.pictures().map { Data(try $0.png()) }
    }
}

import ArgumentParser
import Console
import ContentFilter
import DiffusionModels
import Evaluation
import Foundation
import Layers
import ServiceRuntime
import Tensors
import TextGeneration
import TextModelOptions

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Judges models: surprise, diversity, novelty, facts, fit to the prompt, bias; pictures by others.",
        discussion: """
            nephele evaluate --model ./mine --against ./before --text held-out.jsonl --training train.jsonl --report report.html
            nephele evaluate --image-model nephele-pixel --image-prompts prompts.txt --reference tiles/ --report report.html
            """)

    @Option(help: "A text model by name, or as NAME=DIRECTORY, or a directory with a slash.")
    var model: ModelArgument?

    @Option(help: "A second one, to be seen beside the first.")
    var against: ModelArgument?

    @Option(help: "A text that the models did not learn, or JSON Lines; may be repeated.")
    var text: [String] = []

    @Option(help: "What the models learned, text or JSON Lines: what they write is looked for there; may be repeated.")
    var training: [String] = []

    @Option(help: "What is measured, as a list: perplexity,writing,facts,bias,filter (default: all).")
    var parts: String?

    @Option(help: "Tokens that are judged together; the model's context at most.")
    var window = 512

    @Option(help: "Windows of each text, at most.")
    var windows = 32

    @Option(help: "Texts that each model writes.")
    var samples = 32

    @Option(help: "Tokens of each.")
    var sampleTokens = 64

    @Option(help: "The temperature they are written at.")
    var temperature: Float = 1

    @Option(help: "The probability mass they are drawn from.")
    var topP: Float = 1

    @Option(help: "How weights are held: auto, f32, bf16, f16, int8 or int4.")
    var precision: Precision = .auto

    @Option(help: "A folder of PNG files to be judged by --reference; may be given twice.")
    var pictures: [String] = []

    @Option(help: "A picture model that draws what is to be judged, by name, or as NAME=DIRECTORY; may be given twice.")
    var imageModel: [ModelArgument] = []

    @Option(help: "A file with a prompt a line for --image-model.")
    var imagePrompts: String?

    @Option(help: "Pictures that --image-model draws.")
    var imageCount = 64

    @Option(help: "A folder of PNG files that pictures should be like.")
    var reference: String?

    @Option(help: "Decides about what is written and drawn, and about intervals.")
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Write the report to this file.", valueName: "file.html"))
    var report: String?

    @Option(help: "Threads that compute (default: one for each core).")
    var threads: Int?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        func check(_ holds: Bool, _ message: String) throws {
            guard holds else { throw ValidationError(message) }
        }
        let hasPictures = !pictures.isEmpty || !imageModel.isEmpty
        try check(model != nil || hasPictures, "give --model, --pictures or --image-model: what is to be judged")
        try check(model != nil || against == nil, "--against stands beside --model, which is not given")
        try check(
            model != nil || text.isEmpty && training.isEmpty && parts == nil,
            "--text, --training and --parts are of --model, which is not given")
        try check(hasPictures == (reference != nil), "--reference and --pictures or --image-model need each other")
        try check(pictures.count + imageModel.count <= 2, "two sets of pictures are judged at most")
        try check(imageModel.isEmpty == (imagePrompts == nil), "--image-model and --image-prompts need each other")
        try check((2...PictureEvaluation.limit).contains(imageCount), "--image-count is 2…\(PictureEvaluation.limit)")
        try check((2...1_000_000).contains(window), "--window \(window) is outside 2…1000000")
        try check((1...100_000).contains(windows), "--windows \(windows) is outside 1…100000")
        try check((4...10_000).contains(samples), "--samples \(samples) is outside 4…10000")
        try check((4...100_000).contains(sampleTokens), "--sample-tokens \(sampleTokens) is outside 4…100000")
        try check((0...100).contains(temperature), "--temperature \(temperature) is outside 0…100")
        try check(topP > 0 && topP <= 1, "--top-p \(topP) is outside 0…1, 0 left out")
        try check((1...1_024).contains(threads ?? 1), "--threads \(threads ?? 0) is outside 1…1024")
        let chosen = try chosenParts()
        try check(training.isEmpty || chosen.contains(.writing), "--training is of the part writing, which is left out")
    }

    private func chosenParts() throws -> Set<TextEvaluation.Part> {
        guard let parts else { return Set(TextEvaluation.Part.allCases) }
        return Set(
            try parts.split(separator: ",", omittingEmptySubsequences: false).map { name in
                guard let part = TextEvaluation.Part(rawValue: String(name)) else {
                    let known = TextEvaluation.Part.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("--parts takes a list of \(known); got '\(name)'")
                }
                return part
            })
    }

    func run() throws {
        if let report, !FileManager.default.isWritableFile(atPath: folder(of: report)) {
            throw CommandError("--report \(report): its folder is not there or cannot be written")
        }
        let device = Device(threadCount: threads ?? ProcessInfo.processInfo.activeProcessorCount)
        var found = EvaluationReport(models: [], seed: seed)
        if let model { found = try texts(of: model, device) }
        if let reference { found.sections.append(try drawings(against: reference, device)) }
        if let report {
            let names = found.models.map(\.name) + pictures + imageModel.map(\.name)
            let page = ReportPage.html(
                found, title: names.joined(separator: " and "),
                footer: "nephele \(CommandLine.arguments.dropFirst().joined(separator: " "))")
            do {
                try Data(page.utf8).write(to: URL(fileURLWithPath: report), options: .atomic)
            } catch { throw CommandError("cannot write \(report): \(error.localizedDescription)") }
        }
        guard !json else { return Terminal.line(String(decoding: try found.json, as: UTF8.self)) }
        show(found)
        if let report { Terminal.line("\nthe report is in \(report)") }
    }

    private func folder(of path: String) -> String {
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? "." : folder
    }

    private func progress(_ text: String) {
        guard !json, Terminal.isInteractive else { return }
        Terminal.line("… \(text)")
    }

    private func texts(of model: ModelArgument, _ device: Device) throws -> EvaluationReport {
        var options = TextEvaluation.Options()
        options.parts = try chosenParts()
        (options.texts, options.training) = (text, training)
        (options.window, options.windows) = (window, windows)
        (options.samples, options.sampleTokens) = (samples, sampleTokens)
        (options.temperature, options.topP, options.seed) = (temperature, topP, seed)
        let evaluation = try TextEvaluation(options)
        let models = try [model, against].compactMap { $0 }.map { one in
            (
                name: one.name,
                loaded: try LoadedModel(directory: one.directory(.text), precision: precision, on: device)
            )
        }
        return try evaluation.run(models, filter: try ContentFilter(), on: device, progress)
    }

    private func drawings(against reference: String, _ device: Device) throws -> EvaluationReport.Section {
        let bootstrap = Bootstrap(seed: seed)
        func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
        let own = PictureEvaluation.Pictures(
            name(reference), try PictureEvaluation.pictures(in: reference, limit: PictureEvaluation.limit))
        var sets = try pictures.map { path in
            PictureEvaluation.Pictures(
                name(path), try PictureEvaluation.pictures(in: path, limit: PictureEvaluation.limit))
        }
        for model in imageModel { sets.append(.init(model.name, try drawn(by: model, device))) }
        progress("pictures")
        return PictureEvaluation.section(sets, reference: own, bootstrap)
    }

    /// The prompts in turn, each with a seed of its own.
    private func drawn(by model: ModelArgument, _ device: Device) throws -> [Picture] {
        guard let imagePrompts, let data = FileManager.default.contents(atPath: imagePrompts),
            let text = String(validating: data, as: UTF8.self)
        else { throw CommandError("\(imagePrompts ?? "") cannot be read as UTF-8") }
        let prompts = text.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }.map {
            String($0)
        }
        guard !prompts.isEmpty else { throw CommandError("\(imagePrompts) holds no prompt") }
        let pipeline = try DiffusionPipeline(directory: model.directory(.image), device: device)
        var pictures = [Picture?](repeating: nil, count: imageCount)
        for (index, prompt) in prompts.enumerated() {
            let places = Array(stride(from: index, to: imageCount, by: prompts.count))
            for start in stride(from: 0, to: places.count, by: DiffusionPipeline.maximumPictures) {
                let some = places[start..<min(start + DiffusionPipeline.maximumPictures, places.count)]
                progress("\(model.name) draws \(some.count) pictures")
                var job = try pipeline.makeJob(
                    DiffusionRequest(prompt: prompt, seeds: some.map { seed &+ UInt64($0) }))
                while !job.isFinished { _ = try job.step() }
                for (place, picture) in zip(some, try job.pictures()) { pictures[place] = picture }
            }
        }
        return pictures.compactMap { $0 }
    }

    private func show(_ report: EvaluationReport) {
        for section in report.sections {
            Terminal.line("\n" + section.title)
            let subjects = section.subjects ?? report.models.map(\.name)
            let isCompared = section.measures.contains { $0.difference != nil }
            var table = Table([""] + subjects + (isCompared ? ["difference"] : []))
            for measure in section.measures {
                let cells = subjects.indices.map { index in
                    index < measure.estimates.count ? measure.estimates[index].map(Self.cell) ?? "–" : "–"
                }
                let name = measure.name + (measure.unit.map { " (\($0))" } ?? "")
                table.append([name] + cells + (isCompared ? [measure.difference.map(Self.cell) ?? "–"] : []))
            }
            for line in table.lines { Terminal.line("  " + line) }
        }
    }

    private static func cell(_ estimate: Estimate) -> String {
        let value = EvaluationReport.rounded(estimate.value)
        guard let low = estimate.low, let high = estimate.high else { return value }
        return "\(value) [\(EvaluationReport.rounded(low)), \(EvaluationReport.rounded(high))]"
    }
}

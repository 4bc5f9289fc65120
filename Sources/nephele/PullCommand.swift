import ArgumentParser
import Foundation
import ModelHub
import ServiceRuntime
import TextModelOptions

struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Fetches a model from the Hugging Face hub.",
        discussion: """
            Only what the model needs comes: safetensors with their configuration and tokenizer, or one quantization of \
            GGUF files. It lies in the hub's own cache afterwards (HF_HUB_CACHE, ~/.cache/huggingface/hub), where others' \
            programs find it too, and is served by `nephele up --text-model hf:MODEL`. A pull that was broken off goes on \
            where it was.

            HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE, HTTPS_PROXY and NO_PROXY count as for huggingface_hub.
            """)

    @Argument(
        help: ArgumentHelp("ORG/NAME, ORG/NAME@REVISION, ORG/NAME-GGUF:Q4_K_M, or ORG/NAME:FILE.", valueName: "model"))
    var model: String

    @Option(help: "A branch, a tag or a commit; main by default.")
    var revision: String?

    func run() async throws {
        let reference = try HubReference(model, revision: revision)
        let settings = try HubSettings(environment: ProcessInfo.processInfo.environment)
        let pulled = try await PullDisplay.pull(reference, settings)
        print("\(reference.description) is at \(pulled.path)")
        // What is no text model is told by nobody: `nephele up` says what is wrong with it, if anything is.
        if let needs = try? memory(pulled) { print(needs) }
        print("nephele up --text-model \(HubReference.scheme)\(reference.description)")
    }

    /// What the model takes with the options that it has by default.
    private func memory(_ pulled: PulledModel) throws -> String {
        var plan = MemoryPlan(available: nil)
        let model = ModelCatalogue.Entry(name: "it takes", directory: pulled.path)
        try plan.add(model, draft: nil, try TextModelOptions.parse([]), parts: 1) { _ in 1 }
        return plan.entries[0].line
    }
}

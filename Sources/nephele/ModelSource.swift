import Console
import Foundation
import ModelHub
import ServiceRuntime

/// Where `nephele up` has its models from: the models directory and the embedded ones by name, the hub (`hf:ORG/NAME`,
/// fetched when it is not there), Ollama's store (`ollama:NAME:TAG`), LM Studio's (`lmstudio:ORG/NAME`), and any path that
/// has a slash (`./NAME`).
struct ModelSource {
    let catalogue: ModelCatalogue
    let environment: [String: String]

    init(_ catalogue: ModelCatalogue, environment: [String: String] = ProcessInfo.processInfo.environment) {
        (self.catalogue, self.environment) = (catalogue, environment)
    }

    /// - Parameter text: as above; `NAME=` before it is what the model is served as.
    /// - Throws: `CatalogueError` or `HubError`.
    func entry(_ text: String, _ modality: ModelCatalogue.Modality) async throws -> ModelCatalogue.Entry {
        let parts = text.split(separator: "=", maxSplits: 1).map { String($0) }
        let isNamed = parts.count == 2 && !parts[0].contains(":") && !parts[0].contains("/")
        let place = isNamed ? parts[1] : text
        var entry: ModelCatalogue.Entry
        if let stored = try await stored(place) {
            entry = stored
        } else if place.contains("/") || place == "." || place == ".." {
            entry = try ModelCatalogue.entry(at: place, modality)
        } else {
            entry = try catalogue.entry(place, modality)
        }
        if isNamed { entry.name = parts[0] }
        return entry
    }

    /// A model that a store has; nil for a name without a store.
    private func stored(_ text: String) async throws -> ModelCatalogue.Entry? {
        if text.hasPrefix(HubReference.scheme) {
            let reference = try HubReference(text)
            let settings = try HubSettings(environment: environment)
            // What is there is served at once, with a network or without; `nephele pull` looks for news.
            let known = HubCache(settings.cache).model(reference)
            let model = if let known { known } else { try await PullDisplay.pull(reference, settings) }
            return .init(name: reference.servedName, directory: model.path)
        }
        if text.hasPrefix(OllamaStore.scheme) {
            let model = try OllamaStore(environment: environment).model(text)
            for sentence in model.unused { Terminal.line("\(model.name): \(sentence)") }
            return .init(name: model.name, directory: try view(of: model))
        }
        if text.hasPrefix(LMStudioStore.scheme) {
            let model = try LMStudioStore(environment: environment).model(text)
            return .init(name: model.name, directory: model.path)
        }
        return nil
    }

    /// A folder with a link to the file, which has no suffix in its store, and what requests get that say nothing.
    private func view(of model: OllamaStore.Model) throws -> String {
        let cache = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "") + "/.cache"
        let folder = cache + "/nephele/ollama/" + model.name.replacingOccurrences(of: "/", with: "--")
        let link = folder + "/model.gguf"
        let files = FileManager.default
        do {
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            if (try? files.destinationOfSymbolicLink(atPath: link)) != model.file {
                try? files.removeItem(atPath: link)
                try files.createSymbolicLink(atPath: link, withDestinationPath: model.file)
            }
            let fields = model.defaults.map { "\"\($0.name)\": \($0.value)" }.joined(separator: ", ")
            try Data("{\(fields)}\n".utf8).write(
                to: URL(fileURLWithPath: folder + "/generation_config.json"), options: .atomic)
        } catch {
            throw CommandError(
                "\(folder) cannot be written (\(error.localizedDescription)); it shows \(model.name) as a model")
        }
        return folder
    }
}

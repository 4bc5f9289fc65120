import EmbeddedModels
import Foundation
import ServiceRuntime
import Testing

@testable import nephele

/// Where `nephele up` takes a model from, by what it is called.
struct ModelSourceTests {
    private func entry(_ text: String, _ modality: ModelCatalogue.Modality = .text) async throws
        -> ModelCatalogue.Entry
    {
        try await ModelSource(ModelCatalogue(models: nil), environment: [:]).entry(text, modality)
    }

    @Test("a path is served under its last part's name, or the one before it; so is a model of the catalogue")
    func paths() async throws {
        let verse = try #require(EmbeddedModels.directory(of: EmbeddedModels.text))
        let plain = try await entry(verse)
        #expect(plain.name == EmbeddedModels.text && plain.directory == verse)
        let slash = try await entry(verse + "/")
        #expect(slash.name == EmbeddedModels.text && slash.directory == verse)
        let named = try await entry("poet=\(verse)")
        #expect(named.name == "poet" && named.directory == verse)
        let known = try await entry("poet=\(EmbeddedModels.text)")
        #expect(known.name == "poet" && known.directory == verse)
    }

    @Test(
        "a path without such a model is an error that repeats it",
        arguments: ["/nowhere/at/all", "own=/nowhere/at/all", "/"])
    func nothingThere(_ text: String) async throws {
        let path = text.replacing("own=", with: "")
        let error = try await #require(throws: CatalogueError.self) { try await entry(text) }
        #expect(error.description.contains("no text model at '\(path)'"))
        let verse = try #require(EmbeddedModels.directory(of: EmbeddedModels.text))
        await #expect(throws: CatalogueError.self) { try await entry(verse, .image) }
    }
}

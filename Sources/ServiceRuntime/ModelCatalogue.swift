import EmbeddedModels
import Foundation
import GGUF

/// A model that was not found.
package struct CatalogueError: Error, Sendable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}

/// The checkpoints that can be served, by name: those of a models directory, then the embedded ones.
package struct ModelCatalogue: Sendable {
    package enum Modality: String {
        case text, image
    }

    package struct Entry: Sendable {
        package var name: String
        /// Or the GGUF file.
        package var directory: String

        package init(name: String, directory: String) { (self.name, self.directory) = (name, directory) }
    }

    private let models: String?

    /// The models directory, if there is one.
    package var directory: String? { models }

    /// - Parameter models: a directory with one checkpoint directory or GGUF file a model; `NEPHELE_MODELS` where nil.
    /// - Throws: `CatalogueError` when it is no directory.
    package init(models: String?) throws {
        let given = models ?? ProcessInfo.processInfo.environment["NEPHELE_MODELS"].flatMap { $0.isEmpty ? nil : $0 }
        if let given, (try? FileManager.default.contentsOfDirectory(atPath: given)) == nil {
            throw CatalogueError("'\(given)' is no directory that can be read; give --models a directory of models")
        }
        self.models = given
    }

    /// - Throws: `CatalogueError` that names the directories that were searched, and the models in them.
    package func entry(_ name: String, _ modality: Modality) throws -> Entry {
        guard !name.contains("/"), name != ".." else {
            throw CatalogueError("'\(name)' is a path; name a model in the models directory")
        }
        let own = models.map { [$0 + "/" + name, $0 + "/" + name + GGUFLocation.suffix] } ?? []
        let candidates = own + [EmbeddedModels.directory(of: name)].compactMap { $0 }
        for directory in candidates where Self.modality(of: directory) == modality {
            return Entry(name: Self.name(of: name), directory: directory)
        }
        let known = names(modality)
        throw CatalogueError(
            "there is no \(modality.rawValue) model '\(name)'"
                + (models.map { " in \($0)" } ?? "; --models names the directory of your own") + "; there is: "
                + (known.isEmpty ? "none" : known.joined(separator: ", ")))
    }

    /// A checkpoint directory or a GGUF file wherever it lies; its name is the path's last part.
    ///
    /// - Throws: `CatalogueError` when no model of that kind is there.
    package static func entry(at path: String, _ modality: Modality) throws -> Entry {
        let place = URL(fileURLWithPath: path).standardizedFileURL
        guard Self.modality(of: place.path) == modality else {
            throw CatalogueError(
                "there is no \(modality.rawValue) model at '\(path)'; give a checkpoint's directory or a GGUF file")
        }
        return Entry(name: name(of: place.lastPathComponent), directory: place.path)
    }

    private func names(_ modality: Modality) -> [String] {
        [models, EmbeddedModels.directory].compactMap { $0 }.flatMap { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
                .filter { Self.modality(of: folder + "/" + $0) == modality }.map { Self.name(of: $0) }
        }
    }

    /// A GGUF file's suffix is no part of its name.
    static func name(of file: String) -> String {
        file.hasSuffix(GGUFLocation.suffix) ? String(file.dropLast(GGUFLocation.suffix.count)) : file
    }

    /// What a checkpoint directory makes: a diffusers pipeline or U-Net pictures, a model with a tokenizer, or a
    /// GGUF file, text.
    private static func modality(of directory: String) -> Modality? {
        // Several files in a directory are an error, which loading reports.
        if (try? GGUFLocation.file(at: directory)) != .some(nil) { return .text }
        let files = FileManager.default
        let names = Set((try? files.contentsOfDirectory(atPath: directory)) ?? [])
        if names.contains("model_index.json") || names.contains("unet") || names.contains("scheduler_config.json") {
            return .image
        }
        return names.contains("config.json") ? .text : nil
    }
}

import ArgumentParser

/// A model on the command line: `NAME=DIRECTORY`, a directory or GGUF file (with a slash) whose last component is the
/// name, or the name of a model in `NEPHELE_MODELS` or among the embedded ones.
package struct ModelArgument: ExpressibleByArgument, Sendable {
    package let name: String
    /// The directory or file; nil for a name in the catalogue.
    private let given: String?

    package init?(argument: String) {
        if let equals = argument.firstIndex(of: "=") {
            name = String(argument[..<equals])
            given = String(argument[argument.index(after: equals)...])
        } else if argument.contains("/") {
            given = argument
            name = ModelCatalogue.name(of: argument.split(separator: "/").last.map { String($0) } ?? "")
        } else {
            (name, given) = (argument, nil)
        }
        if name.isEmpty || given?.isEmpty == true { return nil }
    }

    /// - Throws: `CatalogueError` when no model has the name.
    package func directory(_ modality: ModelCatalogue.Modality) throws -> String {
        if let given { return given }
        return try ModelCatalogue(models: nil).entry(name, modality).directory
    }
}

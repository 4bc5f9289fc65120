/// A prompt with a place for what the user brings: instructions, few-shot examples (Brown et al. 2020, «Language Models
/// are Few-Shot Learners», §2) and parameters.
package struct Preset: Sendable {
    /// An example turn.
    package struct Example: Sendable, Equatable {
        package var user: String
        package var assistant: String
    }

    /// A preset in one language.
    package struct Wording: Sendable {
        /// What a chat begins with.
        package var system: String?
        /// The user's turn, with `{{input}}` and variables.
        package var template: PromptTemplate
        package var examples: [Example]
        /// What is drawn, where the model makes pictures.
        package var picture: PromptTemplate?
    }

    /// Values that hold where the client gives none.
    package struct Parameters: Sendable, Equatable {
        package var temperature: Double?
        package var topP: Double?
        package var maxTokens: Int?
        package var stop: [String] = []
    }

    package let name: String
    package let summary: String
    let wordings: [Language: Wording]
    /// Names and defaults.
    package let variables: [String: String]
    package let parameters: Parameters

    package var languages: [Language] { Language.allCases.filter { wordings[$0] != nil } }

    /// In the language of a text, or else in the first that there is (English, before others).
    package func wording(for text: String) -> Wording? {
        Language(of: text).flatMap { wordings[$0] } ?? wordings[.en] ?? languages.first.flatMap { wordings[$0] }
    }
}

/// Text with `{{name}}` in it.
package struct PromptTemplate: Sendable, Equatable {
    private enum Piece: Sendable, Equatable {
        case text(String)
        case name(String)
    }

    private let pieces: [Piece]

    /// - Throws: A message: what stands in braces is no name, or they are not closed.
    init(_ source: String) throws(Malformed) {
        var pieces: [Piece] = []
        var rest = source[...]
        while let open = rest.firstRange(of: "{{") {
            pieces.append(.text(String(rest[..<open.lowerBound])))
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else {
                throw Malformed(message: "'{{' without '}}'")
            }
            let name = rest[open.upperBound..<close.lowerBound].filter { $0 != " " }
            guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else {
                throw Malformed(message: "'{{\(name)}}' holds no name of letters, digits and '_'")
            }
            pieces.append(.name(String(name)))
            rest = rest[close.upperBound...]
        }
        pieces.append(.text(String(rest)))
        self.pieces = pieces
    }

    struct Malformed: Error { var message: String }

    var names: Set<String> {
        Set(pieces.compactMap { if case .name(let name) = $0 { name } else { nil } })
    }

    /// Values are put in as they are: what they hold is never read as a template.
    package func filled(_ values: [String: String]) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .name(let name): values[name] ?? ""
            }
        }.joined()
    }
}

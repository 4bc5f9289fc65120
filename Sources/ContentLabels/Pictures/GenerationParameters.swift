package import PNG

/// How a picture was made, in the form that AUTOMATIC1111's web UI writes under the keyword `parameters` and that its
/// readers parse: the prompt, `Negative prompt: …`, and a line of `Name: value` pairs.
package enum GenerationParameters: String, Sendable, Equatable, CaseIterable {
    case off
    /// The last line alone: a picture that is passed on tells nothing of what its user wrote.
    case settings
    /// The user's prompt too.
    case prompt

    /// Bytes of each prompt that are written, at most.
    static let promptLimit = 16_384

    package func chunk(of origin: PictureOrigin) -> PNGChunk? { text(of: origin).map { .text("parameters", $0) } }

    func text(of origin: PictureOrigin) -> String? {
        guard self != .off else { return nil }
        var lines: [String] = []
        if self == .prompt {
            lines.append(Self.shortened(origin.prompt))
            if !origin.negativePrompt.isEmpty {
                lines.append("Negative prompt: " + Self.shortened(origin.negativePrompt))
            }
        }
        var pairs: [(String, String)] = []
        if origin.steps > 0 {
            pairs = [
                ("Steps", "\(origin.steps)"), ("Sampler", origin.sampler), ("CFG scale", "\(origin.guidanceScale)"),
            ]
        }
        pairs += [
            ("Seed", "\(origin.seed)"), ("Size", "\(origin.width)x\(origin.height)"), ("Model", origin.model),
            ("Revision", origin.revision), ("Version", "nephele"),
        ]
        lines.append(pairs.filter { !$1.isEmpty }.map { "\($0): \(Self.quoted($1))" }.joined(separator: ", "))
        return lines.joined(separator: "\n")
    }

    /// Values with a separator in them stand as JSON strings.
    private static func quoted(_ value: String) -> String {
        guard value.contains(where: { ",:\"\\".contains($0) || $0.isNewline }) else { return value }
        let escaped = value.unicodeScalars.map { scalar in
            scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : scalar.value < 0x20 ? " " : "\(scalar)"
        }
        return "\"\(escaped.joined())\""
    }

    private static func shortened(_ text: String) -> String {
        guard text.utf8.count > promptLimit else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: promptLimit)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}

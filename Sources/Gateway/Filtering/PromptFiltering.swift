import ContentFilter
import Messages

/// Prompts are filtered before anything else sees them.
extension RequestScope {
    /// - Parameter field: what the client gave the text in.
    /// - Returns: the text, without what is redacted.
    /// - Throws: `APIError` for a text that is blocked; it names the rule and the category, never the text.
    func filtered(
        _ text: String, _ direction: FilterPolicy.Direction, from field: String
    ) async throws -> String {
        guard let filter, filter.filters(direction) else { return text }
        let result = await filter.checkInPieces(text, direction)
        guard let block = result.verdict.block else { return result.text }
        throw APIError.invalidRequest(
            "The filter's rule '\(block.rule)' does not let this pass: \(block.finding.category.rawValue), bytes "
                + "\(block.finding.range.lowerBound) to \(block.finding.range.upperBound) of the text.",
            parameter: field, code: "content_policy_violation")
    }
}

extension ContentFilter {
    /// Bytes after which others have their turn.
    private static let pieceLength = 8_192

    /// Checks a text without keeping a thread for long.
    func checkInPieces(_ text: String, _ direction: FilterPolicy.Direction) async -> Outcome {
        guard text.utf8.count > Self.pieceLength else { return check(text, direction) }
        var stream = stream(direction)
        var passed = ""
        var rest = text.unicodeScalars[...]
        while !rest.isEmpty, !stream.verdict.isBlocked {
            let piece = rest.prefix(Self.pieceLength / 2)
            passed += stream.feed(String(String.UnicodeScalarView(piece)))
            rest = rest.dropFirst(piece.count)
            await Task.yield()
        }
        return Outcome(text: passed + stream.finish(), verdict: stream.verdict)
    }
}

/// A notice in words that an answer was generated, as GB 45438-2025 asks of text: at its beginning or its end.
package struct TextNotice: Sendable, Equatable {
    package enum Place: String, Sendable, CaseIterable { case start, end }

    package var place = Place.end
    package var english = "(AI-generated)"
    package var chinese = "（本内容由人工智能生成）"

    package init() {}

    private static let gap = "\n\n"

    package func words(inChinese: Bool) -> String { inChinese ? chinese : english }

    /// What an answer begins with; empty where the notice stands at its end.
    package func opening(inChinese: Bool) -> String {
        place == .start ? words(inChinese: inChinese) + Self.gap : ""
    }

    package func closing(inChinese: Bool) -> String {
        place == .end ? Self.gap + words(inChinese: inChinese) : ""
    }

    /// An earlier answer without the notice, so that a model that reads it in the conversation does not learn to write it.
    package func removed(from text: String) -> String {
        for inChinese in [false, true] {
            // By scalars: an answer that ends with a carriage return makes one Character of it and the gap.
            let scalars = text.unicodeScalars
            let opening = opening(inChinese: inChinese).unicodeScalars
            let closing = closing(inChinese: inChinese).unicodeScalars
            if !opening.isEmpty, scalars.starts(with: opening) { return String(scalars.dropFirst(opening.count)) }
            if !closing.isEmpty, scalars.reversed().starts(with: closing.reversed()) {
                return String(scalars.dropLast(closing.count))
            }
        }
        return text
    }
}

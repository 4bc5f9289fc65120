/// Something that a detector saw: what, how surely, and where. Never the text itself.
package struct Finding: Sendable, Hashable {
    /// How it was found.
    package enum Source: String, Sendable, Hashable {
        case list, pattern, classifier
        /// In text that stood encoded (base64, hex, URL) or hidden (tags, variation selectors) in the text.
        case encoded
    }

    package var category: FilterCategory
    package var source: Source
    /// 0 to 1.
    package var score: Double
    /// In bytes of the original.
    package var range: Range<Int>
    /// Which of several patterns or phrases, for an operator who looks for the cause: `phrase 812`, `sk-`.
    package var detail: String
    /// Where in the order of a text it belongs: a finding can only be changed by what follows this byte.
    var position: Int

    init(_ category: FilterCategory, _ source: Source, score: Double, range: Range<Int>, detail: String) {
        (self.category, self.source, self.score, self.range) = (category, source, score, range)
        self.detail = detail
        position = range.lowerBound
    }

    /// The order in which findings take effect.
    static func precedes(_ a: Finding, _ b: Finding) -> Bool {
        if a.position != b.position { return a.position < b.position }
        if a.range.upperBound != b.range.upperBound { return a.range.upperBound < b.range.upperBound }
        if a.category != b.category { return a.category < b.category }
        if a.score != b.score { return a.score > b.score }
        return a.detail < b.detail
    }
}

/// Text of which every scalar knows whether the template wrote it or somebody else did.
///
/// Slicing, joining and mapping keep the marks, so that no operation of a template makes trusted text out of what a
/// user wrote. Indices count Unicode scalars, as Python's do.
package struct TrustedText: Sendable {
    package private(set) var scalars: [Unicode.Scalar]
    /// What the template did not write: in order, disjoint, never adjacent, never empty.
    package private(set) var untrusted: [Range<Int>]
    /// Whether the filter `safe` made it: jinja2 would escape what is put beside it.
    var isMarkup = false

    package init() { (scalars, untrusted) = ([], []) }

    package init(_ text: String, isTrusted: Bool) { self.init(Array(text.unicodeScalars), isTrusted: isTrusted) }

    init(_ scalars: [Unicode.Scalar], isTrusted: Bool) {
        self.scalars = scalars
        untrusted = isTrusted || scalars.isEmpty ? [] : [0..<scalars.count]
    }

    /// Text of the template.
    init(_ text: String) { self.init(text, isTrusted: true) }

    package var count: Int { scalars.count }
    package var isEmpty: Bool { scalars.isEmpty }
    var isTrusted: Bool { untrusted.isEmpty }

    /// Without its marks.
    package var string: String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// For messages: what the template did not write is left out.
    var trustedString: String {
        var view = String.UnicodeScalarView()
        var position = 0
        for range in untrusted {
            view.append(contentsOf: scalars[position..<range.lowerBound])
            view.append("…")
            position = range.upperBound
        }
        view.append(contentsOf: scalars[position...])
        return String(view)
    }

    /// UTF-8, and the ranges of it that the template wrote.
    package var encoded: (bytes: [UInt8], trusted: [Range<Int>]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(scalars.count)
        var trusted: [Range<Int>] = []
        var position = 0
        func append(_ range: Range<Int>, isTrusted: Bool) {
            let start = bytes.count
            for scalar in scalars[range] {
                bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
            if isTrusted, bytes.count > start { trusted.append(start..<bytes.count) }
        }
        for range in untrusted {
            append(position..<range.lowerBound, isTrusted: true)
            append(range, isTrusted: false)
            position = range.upperBound
        }
        append(position..<scalars.count, isTrusted: true)
        return (bytes, trusted)
    }

    /// The scalars of `range` with their marks.
    package subscript(range: Range<Int>) -> TrustedText {
        var part = TrustedText()
        part.append(self, range)
        return part
    }

    mutating func append(_ other: TrustedText) { append(other, 0..<other.count) }

    mutating func append(_ other: TrustedText, _ range: Range<Int>) {
        let offset = scalars.count - range.lowerBound
        scalars.append(contentsOf: other.scalars[range])
        var index = other.firstUntrusted(endingAfter: range.lowerBound)
        while index < other.untrusted.count, other.untrusted[index].lowerBound < range.upperBound {
            let part = other.untrusted[index].clamped(to: range)
            distrust(part.lowerBound + offset..<part.upperBound + offset)
            index += 1
        }
    }

    mutating func append(_ text: String, isTrusted: Bool = true) {
        let start = scalars.count
        scalars.append(contentsOf: text.unicodeScalars)
        if !isTrusted { distrust(start..<scalars.count) }
    }

    mutating func append(_ scalar: Unicode.Scalar, isTrusted: Bool) {
        scalars.append(scalar)
        if !isTrusted { distrust(scalars.count - 1..<scalars.count) }
    }

    /// Marks the end of the text; ranges come in order.
    private mutating func distrust(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        if let last = untrusted.last, last.upperBound == range.lowerBound {
            untrusted[untrusted.count - 1] = last.lowerBound..<range.upperBound
        } else {
            untrusted.append(range)
        }
    }

    /// Binary search among the marks.
    private func firstUntrusted(endingAfter position: Int) -> Int {
        var (low, high) = (0, untrusted.count)
        while low < high {
            let middle = (low + high) / 2
            if untrusted[middle].upperBound <= position { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func isTrusted(at position: Int) -> Bool {
        let index = firstUntrusted(endingAfter: position)
        return index == untrusted.count || untrusted[index].lowerBound > position
    }

    /// The scalars at `indices`, in that order.
    func gathered(_ indices: some Sequence<Int>) -> TrustedText {
        var result = TrustedText()
        for index in indices { result.append(scalars[index], isTrusted: isTrusted(at: index)) }
        return result
    }

    /// Each scalar replaced by what `change` makes of the scalar at an index.
    func mapped(_ change: (Int) -> String) -> TrustedText {
        var result = TrustedText()
        var next = 0
        for index in scalars.indices {
            while next < untrusted.count, untrusted[next].upperBound <= index { next += 1 }
            let trusted = next == untrusted.count || untrusted[next].lowerBound > index
            result.append(change(index), isTrusted: trusted)
        }
        return result
    }

    /// `pieces` with `separator` between each two.
    static func joined(_ pieces: [TrustedText], by separator: TrustedText) -> TrustedText {
        var result = TrustedText()
        for (index, piece) in pieces.enumerated() {
            if index > 0 { result.append(separator) }
            result.append(piece)
        }
        return result
    }
}

extension TrustedText: Hashable {
    /// By scalars alone: who wrote them does not matter to a comparison.
    package static func == (a: TrustedText, b: TrustedText) -> Bool { a.scalars == b.scalars }
    package func hash(into hasher: inout Hasher) { hasher.combine(scalars) }

    /// Whether it is `word`, to the scalar.
    func isWord(_ word: String) -> Bool { scalars.elementsEqual(word.unicodeScalars) }

    /// By code points, as Python orders strings.
    static func < (a: TrustedText, b: TrustedText) -> Bool {
        a.scalars.lexicographicallyPrecedes(b.scalars)
    }
}

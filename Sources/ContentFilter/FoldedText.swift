/// A text as rules look at it, folded character by character, that knows where each byte of it came from.
///
/// Offsets are absolute: what has been dropped from the front still counts.
struct FoldedText: Sendable {
    /// A stretch that was taken over as it is, or one character that became another.
    private struct Stretch {
        var folded: Int
        var origin: Int
        /// Bytes of the original character; 0 for a stretch that was taken over.
        var replaced: Int
    }

    /// Folded bytes from `base` on.
    private(set) var bytes: [UInt8] = []
    private(set) var base = 0
    /// Bytes of the original that have been folded.
    private(set) var originEnd = 0
    var hidden = HiddenText()
    private var stretches: [Stretch] = []
    /// The beginning of a character whose rest has not come.
    private var incomplete: [UInt8] = []

    var end: Int { base + bytes.count }

    // MARK: Folding

    mutating func append(_ chunk: [UInt8]) {
        guard !incomplete.isEmpty else { return fold(chunk) }
        let joined = incomplete + chunk
        incomplete = []
        fold(joined)
    }

    /// A character that never became whole counts as a space.
    mutating func finish() {
        for _ in incomplete { replace(length: 1, by: [0x20]) }
        incomplete = []
        hidden.finish()
    }

    private mutating func fold(_ chunk: [UInt8]) {
        let table = FoldTable.shared
        let pool = table.text
        var index = 0
        // What stays as it is is taken over in stretches as long as can be.
        var first = 0
        while index < chunk.count {
            if chunk[index] < 0x80 {
                index += 1
                continue
            }
            let length = Self.length(chunk[index])
            let isCut = index + length > chunk.count
            let point = isCut ? nil : Self.point(chunk, at: index, length: length)
            if let point, table.stays(point) {
                index += length
                continue
            }
            if index > first { take(chunk[first..<index]) }
            if isCut {
                incomplete = Array(chunk[index...])
                return
            }
            if let point, let folded = table.folded(point) {
                if folded.isEmpty, hidden.take(point, at: originEnd) {
                    originEnd += length
                } else {
                    replace(length: length, by: pool[folded])
                }
                index += length
            } else {
                replace(length: 1, by: [0x20])
                index += 1
            }
            first = index
        }
        if index > first { take(chunk[first..<index]) }
    }

    private mutating func take(_ slice: ArraySlice<UInt8>) {
        hidden.finish()
        if stretches.last.map({ $0.replaced > 0 || $0.origin - $0.folded != originEnd - end }) ?? true {
            stretches.append(Stretch(folded: end, origin: originEnd, replaced: 0))
        }
        bytes.append(contentsOf: slice)
        originEnd += slice.count
    }

    private mutating func replace(length: Int, by folded: ArraySlice<UInt8>) {
        if !folded.isEmpty {
            hidden.finish()
            stretches.append(Stretch(folded: end, origin: originEnd, replaced: length))
            bytes.append(contentsOf: folded)
        }
        originEnd += length
    }

    private static func length(_ lead: UInt8) -> Int {
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }

    /// - Returns: nil for bytes that are no character.
    private static func point(_ bytes: [UInt8], at index: Int, length: Int) -> UInt32? {
        guard length > 1 else { return nil }
        var point = UInt32(bytes[index]) & (0xFF >> UInt32(length + 1))
        for offset in 1..<length {
            guard bytes[index + offset] & 0xC0 == 0x80 else { return nil }
            point = point << 6 | UInt32(bytes[index + offset] & 0x3F)
        }
        return Unicode.Scalar(point)?.value
    }

    // MARK: Where it came from

    /// Where in the original the byte at `offset` came from; the end of what was folded for the end.
    func origin(of offset: Int) -> Int { offset >= end ? originEnd : range(of: offset).lowerBound }

    /// What became of `range`, whole characters.
    func origin(of range: Range<Int>) -> Range<Int> {
        let start = origin(of: range.lowerBound)
        return range.isEmpty ? start..<start : start..<self.range(of: range.upperBound - 1).upperBound
    }

    private func range(of offset: Int) -> Range<Int> {
        var (low, high) = (0, stretches.count)
        while low < high {
            let middle = (low + high) / 2
            if stretches[middle].folded <= offset { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return 0..<0 }
        let stretch = stretches[low - 1]
        if stretch.replaced > 0 { return stretch.origin..<stretch.origin + stretch.replaced }
        let origin = stretch.origin + offset - stretch.folded
        return origin..<origin + 1
    }

    /// Forgets what precedes `offset`, once that is worth the move.
    mutating func drop(before offset: Int) {
        guard offset - base >= 4_096 else { return }
        var cut = offset - base
        while cut > 0, cut < bytes.count, bytes[cut] & 0xC0 == 0x80 { cut -= 1 }
        bytes.removeFirst(cut)
        base += cut
        let kept = stretches.lastIndex { $0.folded <= base } ?? 0
        stretches.removeFirst(kept)
    }
}

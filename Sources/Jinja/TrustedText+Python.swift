/// Python's string methods.
extension TrustedText {
    /// `str.isspace` of one character.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
            true
        default: false
        }
    }

    /// `str.strip` and its halves.
    ///
    /// - Parameter characters: nil for white space.
    package func stripped(_ characters: TrustedText? = nil, left: Bool = true, right: Bool = true) -> TrustedText {
        let set = characters.map { Set($0.scalars) }
        func isStripped(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? Self.isSpace(scalar) }
        var (start, end) = (0, count)
        if left { while start < end, isStripped(scalars[start]) { start += 1 } }
        if right { while end > start, isStripped(scalars[end - 1]) { end -= 1 } }
        return self[start..<end]
    }

    /// Where `part` first begins at `start` or later, in linear time (Knuth, Morris and Pratt).
    func first(_ part: TrustedText, from start: Int = 0, to end: Int? = nil) -> Int? {
        let end = end ?? count
        guard start <= end, part.count <= end - start else { return nil }
        let table = Self.borders(part.scalars)
        var matched = 0
        if part.isEmpty { return start }
        for position in start..<end {
            while matched > 0, scalars[position] != part.scalars[matched] { matched = table[matched - 1] }
            if scalars[position] == part.scalars[matched] { matched += 1 }
            if matched == part.count { return position + 1 - matched }
        }
        return nil
    }

    /// Where `part` last begins, ending at `end` at the latest.
    package func last(_ part: TrustedText, from start: Int = 0, to end: Int? = nil) -> Int? {
        let end = end ?? count
        guard start <= end, part.count <= end - start else { return nil }
        if part.isEmpty { return end }
        let backwards = Array(part.scalars.reversed())
        let table = Self.borders(backwards)
        var matched = 0
        for position in (start..<end).reversed() {
            while matched > 0, scalars[position] != backwards[matched] { matched = table[matched - 1] }
            if scalars[position] == backwards[matched] { matched += 1 }
            if matched == part.count { return position }
        }
        return nil
    }

    /// For each beginning of `part`, how long the longest of its own beginnings is that also ends it.
    private static func borders(_ part: [Unicode.Scalar]) -> [Int] {
        var table = [Int](repeating: 0, count: part.count)
        var length = 0
        for position in part.indices.dropFirst() {
            while length > 0, part[position] != part[length] { length = table[length - 1] }
            if part[position] == part[length] { length += 1 }
            table[position] = length
        }
        return table
    }

    func hasPrefix(_ part: TrustedText) -> Bool { scalars.starts(with: part.scalars) }
    func hasSuffix(_ part: TrustedText) -> Bool { scalars.suffix(part.count).elementsEqual(part.scalars) }

    /// `str.count`: occurrences that do not overlap.
    func occurrences(of part: TrustedText) -> Int {
        guard !part.isEmpty else { return count + 1 }
        var (found, position) = (0, 0)
        while let next = first(part, from: position) {
            found += 1
            position = next + part.count
        }
        return found
    }

    /// `str.replace`.
    ///
    /// - Parameter limit: how often at most; nil or below 0 for everywhere.
    func replacing(_ old: TrustedText, with new: TrustedText, limit: Int? = nil) -> TrustedText {
        var left = limit.map { $0 < 0 ? Int.max : $0 } ?? Int.max
        var result = TrustedText()
        var position = 0
        if old.isEmpty {
            for index in 0...count {
                if left > 0 { result.append(new) }
                left -= 1
                if index < count { result.append(self, index..<index + 1) }
            }
            return result
        }
        while left > 0, let next = first(old, from: position) {
            result.append(self, position..<next)
            result.append(new)
            position = next + old.count
            left -= 1
        }
        result.append(self, position..<count)
        return result
    }

    /// `str.split` by a separator that is not empty.
    func split(by separator: TrustedText, limit: Int) -> [TrustedText] {
        var parts: [TrustedText] = []
        var position = 0
        while limit < 0 || parts.count < limit, let next = first(separator, from: position) {
            parts.append(self[position..<next])
            position = next + separator.count
        }
        return parts + [self[position..<count]]
    }

    /// `str.rsplit` by a separator that is not empty.
    func splitFromRight(by separator: TrustedText, limit: Int) -> [TrustedText] {
        var parts: [TrustedText] = []
        var end = count
        while limit < 0 || parts.count < limit, let next = last(separator, to: end) {
            parts.append(self[next + separator.count..<end])
            end = next
        }
        return (parts + [self[0..<end]]).reversed()
    }

    /// `str.split()` and `str.rsplit()` at runs of white space.
    func splitAtSpaces(limit: Int, fromRight: Bool = false) -> [TrustedText] {
        if fromRight {
            let text = stripped(left: false)
            var parts: [TrustedText] = []
            var end = text.count
            while end > 0 {
                if limit >= 0, parts.count == limit {
                    parts.append(text[0..<end].stripped(left: false))
                    break
                }
                var start = end
                while start > 0, !Self.isSpace(text.scalars[start - 1]) { start -= 1 }
                parts.append(text[start..<end])
                end = start
                while end > 0, Self.isSpace(text.scalars[end - 1]) { end -= 1 }
            }
            return parts.reversed()
        }
        let text = stripped(right: false)
        var parts: [TrustedText] = []
        var start = 0
        while start < text.count {
            if limit >= 0, parts.count == limit {
                parts.append(text[start..<text.count])
                break
            }
            var end = start
            while end < text.count, !Self.isSpace(text.scalars[end]) { end += 1 }
            parts.append(text[start..<end])
            start = end
            while start < text.count, Self.isSpace(text.scalars[start]) { start += 1 }
        }
        return parts
    }

    /// `str.splitlines`.
    func lines(keepingEnds: Bool = false) -> [TrustedText] {
        var lines: [TrustedText] = []
        var (start, position) = (0, 0)
        while position < count {
            switch scalars[position].value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
                let isPair = scalars[position] == "\r" && position + 1 < count && scalars[position + 1] == "\n"
                let end = position + (isPair ? 2 : 1)
                lines.append(self[start..<(keepingEnds ? end : position)])
                (start, position) = (end, end)
            default: position += 1
            }
        }
        if start < count { lines.append(self[start..<count]) }
        return lines
    }

    /// For HTML, as MarkupSafe escapes.
    var escaped: TrustedText {
        mapped { index in
            switch scalars[index] {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "'": "&#39;"
            case "\"": "&#34;"
            default: String(Character(scalars[index]))
            }
        }
    }

    var uppercased: TrustedText { mapped { scalars[$0].properties.uppercaseMapping } }

    var lowercased: TrustedText { mapped { lower(at: $0) } }

    var capitalized: TrustedText { mapped { $0 == 0 ? scalars[0].properties.titlecaseMapping : lower(at: $0) } }

    /// `str.title`: a cased letter after one that is not cased begins a word.
    var titled: TrustedText {
        var wasCased = false
        return mapped { index in
            defer { wasCased = scalars[index].properties.isCased }
            return wasCased ? lower(at: index) : scalars[index].properties.titlecaseMapping
        }
    }

    var swappedCase: TrustedText {
        mapped { index in
            let properties = scalars[index].properties
            if properties.isUppercase { return lower(at: index) }
            return properties.isLowercase ? properties.uppercaseMapping : String(Character(scalars[index]))
        }
    }

    /// Lower case of one scalar; a capital sigma at a word's end is ς.
    private func lower(at index: Int) -> String {
        let scalar = scalars[index]
        guard scalar == "Σ" else { return scalar.properties.lowercaseMapping }
        var before = index - 1
        while before >= 0, scalars[before].properties.isCaseIgnorable { before -= 1 }
        var after = index + 1
        while after < count, scalars[after].properties.isCaseIgnorable { after += 1 }
        let ends =
            before >= 0 && scalars[before].properties.isCased
            && !(after < count && scalars[after].properties.isCased)
        return ends ? "ς" : "σ"
    }

    /// `str.center`, `ljust`, `rjust` and `zfill` are made of it.
    func padded(left: Int, right: Int, _ fill: TrustedText) -> TrustedText {
        var result = TrustedText()
        for _ in 0..<max(0, left) { result.append(fill) }
        result.append(self)
        for _ in 0..<max(0, right) { result.append(fill) }
        return result
    }

    /// `str.isdigit` and its kin: false for no characters.
    func isAll(_ test: (Unicode.Scalar) -> Bool) -> Bool { !isEmpty && scalars.allSatisfy(test) }
}

// Which tokens may come.

extension SchemaMachine {
    /// The tokens that may follow. Every one of them leaves a way to a whole value.
    func mask(_ c: Configuration, _ text: ReadText, _ vocabulary: TokenVocabulary) throws(GrammarError) -> TokenMask {
        let isKept = isIndependentOfText(c)
        if isKept, let known = masks[c] { return known }
        var mask = try computeMask(c, text, vocabulary)
        if canEnd(c) { for id in vocabulary.endTokens { mask.insert(id) } }
        if isKept { masks.keep(mask, of: mask, for: c) }
        return mask
    }

    /// Whether what may follow does not depend on the text before.
    func isIndependentOfText(_ c: Configuration) -> Bool {
        c.mark == 0 && (c.stack < 0 || !dependsOnText[Int(c.stack)])
    }

    /// Of a string of any characters that has none begun: the tokens that stay in it, and how many characters it has, of which
    /// `min` and `max` are those behind which it may end; nil elsewhere.
    func insideText(_ c: Configuration, _ vocabulary: TokenVocabulary) -> (mask: TokenMask, min: Int, max: Int)? {
        guard c.phase == .text, c.decoder.isAtStart, texts[Int(c.table)].isFree else { return nil }
        let own = texts[Int(c.table)]
        var mask = vocabulary.inner
        if let max = own.max, max - Int(c.length) < vocabulary.innerUpTo.count {
            mask = vocabulary.innerUpTo[Swift.max(0, max - Int(c.length))]
        }
        return (mask, own.min, own.max ?? .max)
    }

    private func computeMask(
        _ c: Configuration, _ text: ReadText, _ vocabulary: TokenVocabulary
    ) throws(GrammarError) -> TokenMask {
        if let inside = insideText(c, vocabulary) {
            var mask = inside.mask
            // Behind the quotation mark it does not matter which characters the string has.
            var ended = c
            ended.length = Int32(inside.min)
            guard try step(&ended, UInt8(ascii: "\""), text) else { return mask }
            try walk(ended, text, vocabulary.exits) { entry in
                let length = Int(c.length) + Int(entry.scalars)
                if length >= inside.min, length <= inside.max { mask.insert(entry.id) }
            }
            return mask
        }
        if c.phase == .key, c.decoder.isAtStart, objects[Int(c.state)].isFree {
            var mask = vocabulary.inner
            for id in vocabulary.keyExits where try following(c, vocabulary.bytes[Int(id)] ?? [], text) != nil {
                mask.insert(id)
            }
            return mask
        }
        if c.stack >= 0, [.value, .number, .literal].contains(c.phase) {
            return try maskFromBeginning(c, text, vocabulary)
        }
        var mask = TokenMask(count: vocabulary.count)
        try walk(c, text, vocabulary.trie) { mask.insert($0.id) }
        return mask
    }

    /// The mask of a value, of which that part is found once that is the same in every container.
    private func maskFromBeginning(
        _ c: Configuration, _ text: ReadText, _ vocabulary: TokenVocabulary
    ) throws(GrammarError) -> TokenMask {
        let trie = vocabulary.trie
        var key = c
        key.stack = Configuration.unknownStack
        // What was read before a value is nothing to it.
        if c.phase == .value { (key.table, key.position, key.length, key.decoder) = (0, 0, 0, .start) }
        let beginning: MaskBeginning
        if let known = beginnings[key] {
            beginning = known
        } else {
            beginning = try self.beginning(key, trie, vocabulary)
            beginnings.keep(beginning, of: beginning.mask, for: key)
        }
        var mask = beginning.mask
        guard !beginning.rest.isEmpty else { return mask }
        var open = takeWay(of: trie.maxDepth + 1)
        defer { way = open }
        var context = text
        for place in beginning.rest {
            open[place.path.count] = place.from
            open[place.path.count].stack = c.stack
            context.tried = place.path
            try walk(place.node..<Int(trie.ends[place.node]), &open, context, trie) { mask.insert($0.id) }
        }
        return mask
    }

    private func beginning(
        _ c: Configuration, _ trie: TokenTrie, _ vocabulary: TokenVocabulary
    ) throws(GrammarError) -> MaskBeginning {
        var found = MaskBeginning(mask: TokenMask(count: vocabulary.count))
        var open = takeWay(of: trie.maxDepth + 1)
        defer { way = open }
        open[0] = c
        var context = ReadText(text: [])
        var node = 0
        while node < trie.count {
            let depth = Int(trie.depths[node])
            var next = open[depth]
            if context.tried.count > depth { context.tried.removeLast(context.tried.count - depth) }
            leftContainer = false
            guard try step(&next, trie.bytes[node], context) else {
                if leftContainer { found.rest.append(.init(node: node, from: open[depth], path: context.tried)) }
                node = Int(trie.ends[node])
                continue
            }
            open[depth + 1] = next
            context.tried.append(trie.bytes[node])
            for entry in trie.entries(at: node) { found.mask.insert(entry.id) }
            node += 1
        }
        return found
    }

    /// What comes of further bytes; nil where they may not follow.
    func following(_ c: Configuration, _ bytes: [UInt8], _ text: ReadText) throws(GrammarError) -> Configuration? {
        var next = c
        var context = text
        for byte in bytes {
            guard try step(&next, byte, context) else { return nil }
            context.tried.append(byte)
        }
        if next.mark == Self.isBehindItem { next.mark = 0 }
        return next
    }

    /// The bytes that may come next, and perhaps some that may not; nil for any.
    func firstBytes(_ c: Configuration) -> [UInt8]? {
        switch c.phase {
        case .done: []
        case .literal: Self.byteOfLiteral(c).map { [$0] } ?? []
        case .colon: Self.blanks + [UInt8(ascii: ":")]
        case .objectStart, .objectNext, .objectComma: Self.objectBytes
        case .arrayStart: Self.blanks + [UInt8(ascii: "]")] + valueBytes(item: c.state)
        case .arrayNext: Self.arrayBytes
        case .value: Self.blanks + valueBytes(c.state)
        case .number: Self.numberBytes
        case .key: keyBytes(c)
        case .text: textBytes(c)
        }
    }

    /// Those of a text of which few characters may come next.
    private func textBytes(_ c: Configuration) -> [UInt8]? {
        guard c.decoder.isAtStart else { return nil }
        let edges = texts[Int(c.table)].language.automaton.edges(of: c.position)
        guard edges.count <= 32 else { return nil }
        var bytes = [UInt8(ascii: "\""), UInt8(ascii: "\\")]
        for edge in edges {
            // Of two bytes or more: where they begin is not worth the search.
            guard edge.last < 0x80, bytes.count + Int(edge.last - edge.first) < 64 else { return nil }
            for scalar in edge.first...edge.last where scalar != 0x22 && scalar != 0x5C { bytes.append(UInt8(scalar)) }
        }
        return bytes
    }

    /// Those of a name that is declared, where no other may come: its next letter, an escape, or its end.
    private func keyBytes(_ c: Configuration) -> [UInt8]? {
        guard c.position < 0, c.table >= 0, c.decoder.isAtStart else { return nil }
        let object = objects[Int(c.state)]
        return [UInt8(ascii: "\""), UInt8(ascii: "\\")]
            + keySpaces[object.keys].firstBytes(behind: c.table, in: object.marks)
    }

    private static let blanks: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    private static let objectBytes = blanks + Array("\",}".utf8)
    private static let arrayBytes = blanks + Array(",]".utf8)
    private static let numberBytes = blanks + Array("0123456789.eE+-,]}".utf8)
    private static let numberStarts = Array("0123456789-".utf8)

    private func valueBytes(_ number: Int32) -> [UInt8] {
        let value = values[Int(number)]
        var bytes: [UInt8] = []
        if value.text >= 0 { bytes.append(UInt8(ascii: "\"")) }
        if value.object >= 0 { bytes.append(UInt8(ascii: "{")) }
        if value.array >= 0 { bytes.append(UInt8(ascii: "[")) }
        if value.null != 0 { bytes.append(UInt8(ascii: "n")) }
        if value.isTrue != 0 { bytes.append(UInt8(ascii: "t")) }
        if value.isFalse != 0 { bytes.append(UInt8(ascii: "f")) }
        if value.number >= 0 { bytes += Self.numberStarts }
        return bytes
    }

    private func valueBytes(item array: Int32) -> [UInt8] {
        guard let item = try? item(array) else { return [] }
        return valueBytes(item.value)
    }

    /// Room for the configurations on a way through a tree, which is given back as ``way``.
    private func takeWay(of count: Int) -> [Configuration] {
        var room: [Configuration] = []
        swap(&room, &way)
        return room.count >= count ? room : [Configuration](repeating: Configuration(), count: count)
    }

    /// Calls `found` with everything in a tree whose bytes may follow.
    private func walk(
        _ c: Configuration, _ text: ReadText, _ trie: TokenTrie, _ found: (TokenTrie.Entry) -> Void
    ) throws(GrammarError) {
        for entry in trie.rootEntries { found(entry) }
        var open = takeWay(of: trie.maxDepth + 1)
        defer { way = open }
        open[0] = c
        guard let first = firstBytes(c) else {
            try walk(0..<trie.count, &open, text, trie, found)
            return
        }
        for byte in first where trie.starts[Int(byte)] >= 0 {
            let start = Int(trie.starts[Int(byte)])
            try walk(start..<Int(trie.ends[start]), &open, text, trie, found)
        }
    }

    private func walk(
        _ nodes: Range<Int>, _ open: inout [Configuration], _ text: ReadText, _ trie: TokenTrie,
        _ found: (TokenTrie.Entry) -> Void
    ) throws(GrammarError) {
        var context = text
        var node = nodes.lowerBound
        while node < nodes.upperBound {
            let depth = Int(trie.depths[node])
            var next = open[depth]
            if context.tried.count > depth { context.tried.removeLast(context.tried.count - depth) }
            guard try step(&next, trie.bytes[node], context) else {
                node = Int(trie.ends[node])
                continue
            }
            open[depth + 1] = next
            context.tried.append(trie.bytes[node])
            for entry in trie.entries(at: node) { found(entry) }
            node += 1
        }
    }
}

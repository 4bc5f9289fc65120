// Which tokens may come.

extension SchemaMachine {
    /// Bytes of masks that are kept, at most.
    private static let cacheLimit = 16 << 20

    /// The tokens that may follow. Every one of them leaves a way to a whole value.
    func mask(_ c: Configuration, _ text: ReadText, _ vocabulary: TokenVocabulary) throws(GrammarError) -> TokenMask {
        let isKept = isIndependentOfText(c)
        if isKept, let known = masks[c] { return known }
        var mask = try computeMask(c, text, vocabulary)
        if canEnd(c) { for id in vocabulary.endTokens { mask.insert(id) } }
        guard isKept else { return mask }
        if (masks.count + 1) * mask.words.count * 8 > Self.cacheLimit { masks.removeAll(keepingCapacity: true) }
        masks[c] = mask
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
        var mask = TokenMask(count: vocabulary.count)
        try walk(c, text, vocabulary.trie) { mask.insert($0.id) }
        return mask
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

    /// Calls `found` with everything in a tree whose bytes may follow.
    private func walk(
        _ c: Configuration, _ text: ReadText, _ trie: TokenTrie, _ found: (TokenTrie.Entry) -> Void
    ) throws(GrammarError) {
        for entry in trie.rootEntries { found(entry) }
        var open = [Configuration](repeating: c, count: trie.maxDepth + 1)
        var context = text
        var node = 0
        while node < trie.count {
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

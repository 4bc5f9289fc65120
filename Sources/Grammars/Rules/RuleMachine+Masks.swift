// Which tokens may come.

extension RuleMachine {
    /// Bytes of masks that are kept, at most.
    private static let cacheLimit = 16 << 20

    /// The tokens that may follow. Every one of them leaves a way to a whole text.
    func mask(_ threads: [RuleThread], _ text: RuleText, _ vocabulary: TokenVocabulary) throws(GrammarError) -> TokenMask
    {
        // A JSON text that nothing follows.
        if threads.count == 1, case .value(let schema, let next) = program.instructions[Int(threads[0].address)],
            case .accept = program.instructions[Int(next)]
        {
            return try program.schemas[schema].mask(threads[0].value, text.read(threads[0]), vocabulary)
        }
        let isKept = threads.allSatisfy(isIndependent)
        if isKept, let known = masks[threads] { return known }
        var mask = try computeMask(threads, text, vocabulary)
        if canEnd(threads) { for id in vocabulary.endTokens { mask.insert(id) } }
        guard isKept else { return mask }
        if (masks.count + 1) * mask.words.count * 8 > Self.cacheLimit { masks.removeAll(keepingCapacity: true) }
        masks[threads] = mask
        return mask
    }

    /// Whether what may follow does not depend on the text before.
    private func isIndependent(_ thread: RuleThread) -> Bool {
        guard case .value(let schema, _) = program.instructions[Int(thread.address)] else { return true }
        return program.schemas[schema].isIndependentOfText(thread.value)
    }

    private func computeMask(
        _ threads: [RuleThread], _ text: RuleText, _ vocabulary: TokenVocabulary
    ) throws(GrammarError) -> TokenMask {
        var mask = TokenMask(count: vocabulary.count)
        for id in try controls(threads, vocabulary) { mask.insert(id) }
        // Within a text of any characters only those tokens need a look that end it.
        if threads.count == 1, case .value(let schema, _) = program.instructions[Int(threads[0].address)],
            let inside = program.schemas[schema].insideText(threads[0].value, vocabulary)
        {
            mask.formUnion(inside.mask)
            var ended = threads[0]
            ended.value.length = Int32(inside.min)
            let behind = try step([ended], UInt8(ascii: "\""), text, tried: [], isTrial: true)
            if behind.isEmpty { return mask }
            try walk(behind, text, vocabulary.exits, offset: 1) { entry in
                let length = Int(threads[0].value.length) + Int(entry.scalars)
                if length >= inside.min, length <= inside.max { mask.insert(entry.id) }
            }
            return mask
        }
        try walk(threads, text, vocabulary.trie, offset: 0) { mask.insert($0.id) }
        return mask
    }

    private func controls(_ threads: [RuleThread], _ vocabulary: TokenVocabulary) throws(GrammarError) -> [Int32] {
        var ids: [Int32] = []
        for thread in threads {
            switch program.instructions[Int(thread.address)] {
            case .token(let id, _): ids.append(id)
            case .through(let table): if thread.decoder.isAtStart { ids += program.marks[table].tokens.keys }
            case .free: return Array(vocabulary.controls.keys)
            default: break
            }
        }
        return ids
    }

    /// Calls `found` with everything in a tree whose bytes may follow.
    ///
    /// - Parameter offset: bytes of the token that stand before those in the tree.
    private func walk(
        _ threads: [RuleThread], _ text: RuleText, _ trie: TokenTrie, offset: Int,
        _ found: (TokenTrie.Entry) -> Void
    ) throws(GrammarError) {
        for entry in trie.rootEntries { found(entry) }
        var open = [[RuleThread]](repeating: threads, count: trie.maxDepth + 1)
        var tried = [UInt8](repeating: UInt8(ascii: "\""), count: offset)
        var node = 0
        while node < trie.count {
            let depth = Int(trie.depths[node])
            if tried.count > depth + offset { tried.removeLast(tried.count - depth - offset) }
            let next = try step(open[depth], trie.bytes[node], text, tried: tried, isTrial: true)
            if next.isEmpty {
                node = Int(trie.ends[node])
                continue
            }
            open[depth + 1] = next
            tried.append(trie.bytes[node])
            for entry in trie.entries(at: node) { found(entry) }
            node += 1
        }
    }

    /// What comes of a token; no way where it may not follow.
    func following(
        _ threads: [RuleThread], _ bytes: [UInt8], _ text: RuleText, isTrial: Bool
    ) throws(GrammarError) -> [RuleThread] {
        var next = threads
        for index in bytes.indices where !next.isEmpty {
            next = try step(next, bytes[index], text, tried: Array(bytes[..<index]), isTrial: isTrial)
        }
        for index in next.indices where next[index].value.mark == SchemaMachine.isBehindItem { next[index].value.mark = 0 }
        return next
    }
}

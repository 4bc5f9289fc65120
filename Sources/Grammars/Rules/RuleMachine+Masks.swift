// Which tokens may come.

extension RuleMachine {
    /// The tokens that may follow. Every one of them leaves a way to a whole text.
    func mask(_ threads: [RuleThread], _ text: RuleText, _ vocabulary: TokenVocabulary) throws(GrammarError)
        -> TokenMask
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
        if isKept { masks.keep(mask, of: mask, for: threads) }
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
        if threads.count == 1, case .free(let table) = program.instructions[Int(threads[0].address)] {
            return try freeMask(threads[0], program.marks[table], text, vocabulary)
        }
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

    /// Where anything may come: all tokens but those that hold a mark and go on with what may not follow it.
    private func freeMask(
        _ thread: RuleThread, _ table: MarkTable, _ text: RuleText, _ vocabulary: TokenVocabulary
    ) throws(GrammarError) -> TokenMask {
        let trie = vocabulary.trie
        var mask = vocabulary.all
        var states = [Int32](repeating: thread.position, count: trie.maxDepth + 1)
        // The states of a text that begins with the token: where both are the same, so is what follows.
        var others = [Int32](repeating: 0, count: trie.maxDepth + 1)
        let isFirst = thread.position == 0
        if !isFirst {
            var start = thread
            start.position = 0
            mask = try self.mask([start], text, vocabulary)
        }
        var node = 0
        while node < trie.count {
            let depth = Int(trie.depths[node])
            let state = table.next(states[depth], trie.bytes[node])
            let other = isFirst ? -1 : table.next(others[depth], trie.bytes[node])
            let target = table.target(state)
            if target >= 0 {
                try checkBehind(node, thread, trie, text, &mask)
                node = Int(trie.ends[node])
            } else if state == other {
                node = Int(trie.ends[node])
            } else {
                (states[depth + 1], others[depth + 1]) = (state, other)
                node += 1
            }
        }
        return mask
    }

    /// Leaves of the tokens that stand at a node and below only those in the mask whose bytes may follow.
    private func checkBehind(
        _ node: Int, _ thread: RuleThread, _ trie: TokenTrie, _ text: RuleText, _ mask: inout TokenMask
    ) throws(GrammarError) {
        var path: [UInt8] = []
        var place = node
        // The bytes that lead to the node stand before it, one at each depth.
        for depth in stride(from: Int(trie.depths[node]), through: 0, by: -1) {
            while Int(trie.depths[place]) != depth { place -= 1 }
            path.append(trie.bytes[place])
        }
        path.reverse()
        var open = [[RuleThread]](repeating: [], count: trie.maxDepth + 1)
        var tried = path
        let first = path.count - 1
        open[first] = try following([thread], Array(path.dropLast()), text, isTrial: true)
        tried.removeLast()
        for index in node..<Int(trie.ends[node]) {
            let depth = Int(trie.depths[index])
            if tried.count > depth { tried.removeLast(tried.count - depth) }
            let next =
                open[depth].isEmpty ? [] : try step(open[depth], trie.bytes[index], text, tried: tried, isTrial: true)
            open[depth + 1] = next
            tried.append(trie.bytes[index])
            for entry in trie.entries(at: index) {
                if next.isEmpty { mask.remove(entry.id) } else { mask.insert(entry.id) }
            }
        }
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
        for byte in firstBytes(threads) where trie.starts[Int(byte)] >= 0 {
            var node = Int(trie.starts[Int(byte)])
            let end = Int(trie.ends[node])
            while node < end {
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
    }

    /// The bytes that may come next, and perhaps some that may not.
    private func firstBytes(_ threads: [RuleThread]) -> [UInt8] {
        var may = [Bool](repeating: false, count: 256)
        for thread in threads {
            switch program.instructions[Int(thread.address)] {
            case .byte(let set, _): for byte in 0...UInt8.max where set.contains(byte) { may[Int(byte)] = true }
            case .value(let schema, _):
                guard let bytes = program.schemas[schema].firstBytes(thread.value) else { return Array(0...UInt8.max) }
                for byte in bytes { may[Int(byte)] = true }
            case .terminal:
                guard let bytes = firstBytes(thread) else { return Array(0...UInt8.max) }
                for byte in bytes { may[Int(byte)] = true }
            case .pattern, .through, .free: return Array(0...UInt8.max)
            default: break
            }
        }
        return (0...UInt8.max).filter { may[Int($0)] }
    }

    /// The bytes that follow whatever is chosen, up to the first choice.
    func forced(_ threads: [RuleThread], _ text: RuleText, limit: Int) throws(GrammarError) -> [UInt8] {
        var (threads, text, bytes) = (threads, text, [UInt8]())
        while bytes.count < limit, !canEnd(threads) {
            var only: UInt8?
            for byte in firstBytes(threads) {
                guard try !step(threads, byte, text, tried: [], isTrial: true).isEmpty else { continue }
                guard only == nil else { return bytes }
                only = byte
            }
            guard let only else { return bytes }
            let next = try following(threads, [only], text, isTrial: false)
            text.append([only], next, program)
            threads = next
            bytes.append(only)
        }
        return bytes
    }

    /// What comes of a token; no way where it may not follow.
    func following(
        _ threads: [RuleThread], _ bytes: [UInt8], _ text: RuleText, isTrial: Bool
    ) throws(GrammarError) -> [RuleThread] {
        var next = threads
        for index in bytes.indices where !next.isEmpty {
            next = try step(next, bytes[index], text, tried: Array(bytes[..<index]), isTrial: isTrial)
        }
        for index in next.indices where next[index].value.mark == SchemaMachine.isBehindItem {
            next[index].value.mark = 0
        }
        return next
    }
}

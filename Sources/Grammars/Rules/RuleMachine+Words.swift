// Words of a lexer.

extension RuleMachine {
    /// A word of a terminal that ends here by one reading of the text, and where it leads.
    struct Word {
        var terminal: Int32
        var state: Lexer.State
        var ownGuard: Lexer.Guard
        var places: [(RuleProgram.Address, Int32)]
    }

    func stepWord(
        _ thread: RuleThread, _ terminal: Int32, _ byte: UInt8, _ following: RuleProgram.Address,
        _ words: inout [Word], _ next: inout Following
    ) throws(GrammarError) {
        var own = thread
        switch own.decoder.next(byte, isEscaped: false) {
        case .partial(let range):
            if try lexer.canEnd(own.position, terminal, own.ownGuard, behind: range) { next.add(own) }
        case .scalar(let scalar):
            own.position = try lexer.next(own.position, scalar)
            guard own.position >= 0, let left = try lexer.next(guard: own.ownGuard, scalar) else { return }
            own.ownGuard = left
            if lexer.isOpen(own.position, terminal), try lexer.canEnd(own.position, terminal, left) { next.add(own) }
            guard lexer.ends(own.position).contains(terminal) else { return }
            let place = (following, own.stack)
            if let known = words.firstIndex(where: {
                $0.terminal == terminal && $0.state == own.position && $0.ownGuard == left
            }) {
                words[known].places.append(place)
            } else {
                words.append(Word(terminal: terminal, state: own.position, ownGuard: left, places: [place]))
            }
        default: return
        }
    }

    /// Whether what stands before a JSON text is still right when a byte of it has come.
    func keepsGuard(_ thread: inout RuleThread, _ byte: UInt8) throws(GrammarError) -> Bool {
        guard thread.ownGuard != Lexer.noGuard else { return true }
        guard case .scalar(let scalar) = thread.decoder.next(byte, isEscaped: false) else { return true }
        guard let left = try lexer.next(guard: thread.ownGuard, scalar) else { return false }
        thread.ownGuard = left
        return true
    }

    /// Ways at a place where words begin: these are read beside each other.
    func begun(_ threads: [RuleThread], _ ownGuard: Lexer.Guard) throws(GrammarError) -> [RuleThread] {
        var rivals = Set<Int32>()
        for thread in threads where thread.position == -1 {
            if case .terminal(let terminal, _) = program.instructions[Int(thread.address)] { rivals.insert(terminal) }
        }
        if rivals.isEmpty, ownGuard == Lexer.noGuard { return threads }
        let start = rivals.isEmpty ? -1 : try lexer.start(rivals)
        var result: [RuleThread] = []
        for thread in threads {
            var own = thread
            switch program.instructions[Int(thread.address)] {
            case .terminal(let terminal, _) where thread.position == -1:
                (own.position, own.ownGuard) = (start, ownGuard)
                guard try lexer.canEnd(start, terminal, ownGuard) else { continue }
            case .value where ownGuard != Lexer.noGuard: own.ownGuard = ownGuard
            default: break
            }
            result.append(own)
        }
        return result
    }

    /// Bytes with which a word may go on; nil within a character.
    func firstBytes(_ thread: RuleThread) -> [UInt8]? {
        thread.decoder.isAtStart ? lexer.bytes(thread.position) : nil
    }
}

// One byte after another.

extension SchemaMachine {
    private static let literals: [[UInt8]] = [Array("null".utf8), Array("true".utf8), Array("false".utf8)]
    /// For each container around, blanks at a line's beginning, at most.
    private static let indentation = 8
    /// Digits of a whole number, and behind a point, before a number has to end where it may.
    private static let (wholeDigits, fractionDigits): (Int32, Int32) = (40, 24)
    private static let indentationLimit = 120
    private static let isLineBroken: UInt8 = 0x80
    /// A ``Configuration/mark`` behind an item that no later one may equal, in the token that ends it.
    static let isBehindItem: Int32 = -1

    /// Whether a byte may stand behind a number.
    private static func followsNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), 0x20, 0x09, 0x0A, 0x0D: true
        default: false
        }
    }

    /// The next byte of a literal.
    static func byteOfLiteral(_ c: Configuration) -> UInt8? {
        let bytes = literals[Int(c.table)]
        return Int(c.position) < bytes.count ? bytes[Int(c.position)] : nil
    }

    /// Takes a byte in.
    ///
    /// - Parameter context: what has been read before it, from ``Configuration/mark`` on.
    /// - Returns: whether a value can still come of it; if not, the configuration means nothing any more.
    func step(_ c: inout Configuration, _ byte: UInt8, _ context: ReadText) throws(GrammarError) -> Bool {
        switch c.phase {
        case .text: return try stepText(&c, byte, context)
        case .key: return try stepKey(&c, byte, context)
        case .number:
            let next = numbers[Int(c.table)].automaton.next(c.position, byte)
            if next >= 0 { return stepNumber(&c, byte, next) }
            let tags = numbers[Int(c.table)].tags[Int(c.position)]
            guard tags != 0, Self.followsNumber(byte), try complete(&c, tags, context) else { return false }
            return try step(&c, byte, context)
        case .literal: return try stepLiteral(&c, byte, context)
        case .done: return false
        default: break
        }
        if byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { return stepBlank(&c, byte) }
        // A carriage return stands before a line feed only.
        if c.blanks == Self.isLineBroken - 1 { return false }
        switch c.phase {
        case .value:
            // What an item may not be is known behind the token that ends the one before it.
            return c.mark != Self.isBehindItem && begin(&c, byte, context)
        case .colon:
            guard byte == UInt8(ascii: ":") else { return false }
            (c.phase, c.blanks) = (.value, 0)
            return true
        case .objectStart, .objectNext, .objectComma: return try stepObject(&c, byte, context)
        case .arrayStart, .arrayNext: return try stepArray(&c, byte, context)
        default: return false
        }
    }

    /// Goes on with a number, unless it has many digits and may end.
    private func stepNumber(_ c: inout Configuration, _ byte: UInt8, _ next: Int32) -> Bool {
        if (0x30...0x39).contains(byte) {
            let mayEnd = numbers[Int(c.table)].tags[Int(c.position)] != 0
            if mayEnd, c.length >= Self.wholeDigits { return false }
            c.length += 1
        } else {
            c.length = Self.wholeDigits - Self.fractionDigits
        }
        c.position = next
        return true
    }

    /// Takes a blank where printers of JSON have them: one, or a line break with an indentation, behind what opens a container
    /// and behind commas, and before what closes one; one behind a colon.
    private func stepBlank(_ c: inout Configuration, _ byte: UInt8) -> Bool {
        var mayBreak = true
        switch c.phase {
        case .value where c.stack == Configuration.unknownStack:
            // One blank may stand before any member and any item.
            if byte == 0x20, c.blanks == 0 { break }
            leftContainer = true
            return false
        case .value:
            guard c.stack >= 0 else { return false }
            mayBreak = !frames[c.stack].isObject
        case .objectNext: if objects[Int(c.state)].ends == 0 { return false }
        case .arrayNext: if arrays[Int(c.state)].ends == 0 { return false }
        case .objectStart, .objectComma, .arrayStart: break
        default: return false
        }
        // 0x7F: behind a carriage return.
        if c.blanks == Self.isLineBroken - 1 {
            guard byte == 0x0A else { return false }
            c.blanks = Self.isLineBroken
            return true
        }
        if byte == 0x0A || byte == 0x0D {
            if !mayBreak || c.blanks != 0 { return false }
            c.blanks = byte == 0x0A ? Self.isLineBroken : Self.isLineBroken - 1
            return true
        }
        if c.blanks == 0 {
            c.blanks = 1
            return byte == 0x20
        }
        let depth = Int(c.stack < 0 ? 0 : depths[Int(c.stack)]) + 1
        let limit = Self.isLineBroken + UInt8(min(Self.indentation * depth, Self.indentationLimit))
        if c.blanks < Self.isLineBroken || c.blanks >= limit { return false }
        c.blanks += 1
        return true
    }

    private func begin(_ c: inout Configuration, _ byte: UInt8, _ context: ReadText) -> Bool {
        let value = values[Int(c.state)]
        c.blanks = 0
        switch byte {
        case UInt8(ascii: "\""):
            guard value.text >= 0 else { return false }
            (c.phase, c.table, c.position, c.length, c.decoder) = (.text, value.text, 0, 0, .start)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            if c.stack == Configuration.unknownStack {
                leftContainer = true
                return false
            }
            let inner = byte == UInt8(ascii: "{") ? value.object : value.array
            guard inner >= 0 else { return false }
            (c.phase, c.state) = (byte == UInt8(ascii: "{") ? .objectStart : .arrayStart, inner)
        case UInt8(ascii: "n"): return literal(&c, 0, value.null)
        case UInt8(ascii: "t"): return literal(&c, 1, value.isTrue)
        case UInt8(ascii: "f"): return literal(&c, 2, value.isFalse)
        default:
            guard value.number >= 0 else { return false }
            let next = numbers[Int(value.number)].automaton.next(0, byte)
            guard next >= 0 else { return false }
            (c.phase, c.table, c.position, c.length) = (.number, value.number, next, 1)
        }
        return true
    }

    private func literal(_ c: inout Configuration, _ number: Int32, _ tags: Tags) -> Bool {
        guard tags != 0 else { return false }
        (c.phase, c.table, c.position) = (.literal, number, 1)
        return true
    }

    private func stepLiteral(_ c: inout Configuration, _ byte: UInt8, _ context: ReadText) throws(GrammarError) -> Bool
    {
        let bytes = Self.literals[Int(c.table)]
        guard byte == bytes[Int(c.position)] else { return false }
        c.position += 1
        if Int(c.position) < bytes.count { return true }
        let value = values[Int(c.state)]
        let tags = c.table == 0 ? value.null : c.table == 1 ? value.isTrue : value.isFalse
        return try complete(&c, tags, context, through: byte)
    }

    private func stepText(_ c: inout Configuration, _ byte: UInt8, _ context: ReadText) throws(GrammarError) -> Bool {
        let text = texts[Int(c.table)]
        switch c.decoder.next(byte) {
        case .fault: return false
        case .end:
            let tags = text.language.labels[Int(c.position)]
            guard tags != 0, Int(c.length) >= text.min else { return false }
            return try complete(&c, tags, context, through: byte, text: c.table)
        case .partial(let range): return text.allows(c, range)
        case .escaped(let ranges): return ranges.contains { text.allows(c, $0) }
        case .scalar(let scalar):
            let next = text.language.automaton.next(c.position, scalar)
            guard next >= 0 else { return false }
            c.position = next
            guard let lengths = text.lengths else { return true }
            c.length += 1
            return lengths.has(next, text.min - Int(c.length), text.max.map { $0 - Int(c.length) })
        }
    }

    private func stepKey(_ c: inout Configuration, _ byte: UInt8, _ context: ReadText) throws(GrammarError) -> Bool {
        let object = objects[Int(c.state)], space = keySpaces[objects[Int(c.state)].keys]
        func mayBeDeclared(_ range: ClosedRange<UInt32>) -> Bool {
            c.table >= 0 && space.hasChild(c.table, range, in: object.marks)
        }
        func mayBeUndeclared(_ range: ClosedRange<UInt32>) -> Bool {
            c.position >= 0
                && space.classifier.automaton.edges(of: c.position).contains {
                    $0.first <= range.upperBound && $0.last >= range.lowerBound
                        && space.reachable[Int($0.target)] & object.labels != 0
                }
        }
        switch c.decoder.next(byte) {
        case .fault: return false
        case .end: return try endKey(&c, object, space, context)
        case .partial(let range): return mayBeDeclared(range) || mayBeUndeclared(range)
        case .escaped(let ranges): return ranges.contains { mayBeDeclared($0) || mayBeUndeclared($0) }
        case .scalar(let scalar):
            if c.position >= 0 {
                c.position = space.classifier.automaton.next(c.position, scalar)
                if c.position >= 0, space.reachable[Int(c.position)] & object.labels == 0 { c.position = -1 }
            }
            if c.table >= 0 {
                c.table = space.child(c.table, scalar)
                // Where undeclared names may come, one that begins as a declared one is still known to be that.
                if c.table >= 0, c.position < 0, !object.marks[Int(c.table)] { c.table = -1 }
            }
            return c.table >= 0 || c.position >= 0
        }
    }

    private func endKey(
        _ c: inout Configuration, _ object: ObjectState, _ space: KeySpace, _ context: ReadText
    ) throws(GrammarError) -> Bool {
        var key = c.table >= 0 ? space.name(at: c.table) : -1
        let isDeclared = key >= 0
        if !isDeclared {
            guard c.position >= 0 else { return false }
            let label = space.classifier.labels[Int(c.position)]
            guard let index = space.labels.firstIndex(of: label), object.labels & 1 << UInt64(index) != 0 else {
                return false
            }
            key = space.nameCount + index
        }
        if !isDeclared {
            // It must not come twice: which names there are is known of the text before this token.
            guard Int(c.mark) < context.text.count, let name = context.string(from: c.mark),
                !context.names.contains(name)
            else { return false }
        }
        // One that is declared may stand elsewhere in order, or be ruled out.
        guard let (value, following) = try member(c.state, key: key) else { return false }
        c.stack = push(Frame(parent: c.stack, isObject: true, following: following, mark: 0))
        (c.phase, c.state, c.blanks, c.mark) = (.colon, value, 0, 0)
        return true
    }

    private func stepObject(_ c: inout Configuration, _ byte: UInt8, _ context: ReadText) throws(GrammarError) -> Bool {
        let object = objects[Int(c.state)]
        switch byte {
        case UInt8(ascii: "}"):
            guard c.phase != .objectComma, object.ends != 0 else { return false }
            return try complete(&c, object.ends, context, through: byte)
        case UInt8(ascii: ","):
            guard c.phase == .objectNext, c.blanks == 0, object.labels != 0 || object.marks.first == true else {
                return false
            }
            (c.phase, c.blanks) = (.objectComma, 0)
            return true
        case UInt8(ascii: "\""):
            guard c.phase != .objectNext, object.labels != 0 || object.marks.first == true else { return false }
            (c.phase, c.blanks, c.decoder) = (.key, 0, .start)
            // Where nothing is declared, or nothing undeclared may come, that side is not followed.
            let space = keySpaces[object.keys]
            c.table = space.nodeCount > 1 || space.nameCount > 0 ? 0 : -1
            c.position = object.labels != 0 ? 0 : -1
            c.mark = object.labels != 0 ? Int32(context.count) : 0
            return true
        default: return false
        }
    }

    private func stepArray(_ c: inout Configuration, _ byte: UInt8, _ context: ReadText) throws(GrammarError) -> Bool {
        let array = arrays[Int(c.state)]
        if byte == UInt8(ascii: "]") {
            guard array.ends != 0 else { return false }
            return try complete(&c, array.ends, context, through: byte)
        }
        guard let (value, following) = try item(c.state) else { return false }
        if c.phase == .arrayNext {
            guard byte == UInt8(ascii: ","), c.blanks == 0 else { return false }
            c.stack = push(Frame(parent: c.stack, isObject: false, following: following, mark: mark(array, context, 1)))
            (c.phase, c.state, c.blanks) = (.value, value, 0)
            return true
        }
        c.stack = push(Frame(parent: c.stack, isObject: false, following: following, mark: mark(array, context, 0)))
        (c.phase, c.state) = (.value, value)
        return begin(&c, byte, context)
    }

    /// Where the item begins, `after` bytes behind what has been read; items that may equal each other need it not.
    private func mark(_ array: ArrayState, _ context: ReadText, _ after: Int) -> Int32 {
        array.isUnique ? Int32(context.count + after) : 0
    }

    /// Ends a value that was what the tags say.
    ///
    /// - Parameters:
    ///   - last: the byte that is its last, where that has not been read yet.
    ///   - text: the text table of a text; nil for another value.
    private func complete(
        _ c: inout Configuration, _ tags: Tags, _ context: ReadText, through last: UInt8? = nil,
        text: Int32? = nil
    ) throws(GrammarError) -> Bool {
        if c.stack == Configuration.unknownStack {
            leftContainer = true
            return false
        }
        c.blanks = 0
        (c.table, c.position, c.length, c.decoder) = (0, 0, 0, .start)
        guard c.stack >= 0 else {
            (c.phase, c.state) = (.done, 0)
            return true
        }
        let frame = frames[c.stack]
        c.state = try completed(frame, tags)
        c.stack = frame.parent
        c.phase = frame.isObject ? .objectNext : .arrayNext
        if frame.mark > 0 {
            // There are always other texts of its kind, if there are many.
            if let text, isEndless(text: text) {
                c.mark = Self.isBehindItem
                if context.isTrial { return true }
            }
            guard let constant = context.value(from: frame.mark, last) else { return false }
            c.state = try excluding(constant, from: c.state)
            // Where neither an end nor another item is left, this one may not be what it is.
            if arrays[Int(c.state)].ends == 0, try item(c.state) == nil { return false }
        }
        return true
    }

    /// Whether what has been read is a whole value.
    func canEnd(_ c: Configuration) -> Bool {
        switch c.phase {
        case .done: true
        case .number: c.stack < 0 && numbers[Int(c.table)].tags[Int(c.position)] != 0
        default: false
        }
    }
}

extension SchemaMachine.TextTable {
    /// Whether one of some scalars may come next.
    func allows(_ c: Configuration, _ range: ClosedRange<UInt32>) -> Bool {
        language.automaton.edges(of: c.position).contains { edge in
            guard edge.first <= range.upperBound, edge.last >= range.lowerBound else { return false }
            guard let lengths else { return true }
            let count = Int(c.length) + 1
            return lengths.has(edge.target, min - count, max.map { $0 - count })
        }
    }
}

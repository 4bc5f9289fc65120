/// A piece of an answer that has been read: what it is a piece of, and its text.
package enum AnswerPiece: Sendable, Equatable {
    case content(String)
    case reasoning(String)
    /// A call begins: its number in the answer, from 0 on, and the tool's name.
    case call(Int, name: String)
    /// More of a call's arguments, which together are the text of a JSON object.
    case arguments(Int, String)
}

/// Reads an answer as it is written: what the model thinks, what it says, and the tools that it calls.
///
/// The pieces joined do not depend on how the text is cut. What begins as a call and is none stays what it is: content.
package struct AnswerParser: Sendable {
    private enum State {
        /// Blanks are held back until something follows them.
        case content
        case reasoning
        /// Behind a section's opening, or behind a call in it.
        case section(isFirst: Bool)
        case call
    }

    private let form: ToolForm?
    private let thoughts: ReasoningForm?
    private let tools: [Tool]
    /// What may begin something else than content, the thoughts' opening as the last; and what ends thoughts.
    private let marks: [[UInt8]]
    private let closing: [UInt8]
    private var state = State.content
    /// What has come and has not been read.
    private var pending: [UInt8] = []
    /// Whether nothing has been said, but for blanks: the place where calls may stand that have no sign.
    private var isAtStart = true
    /// Whether blanks that come next mean nothing: at the beginning, if something was thought or called before.
    private var skipsBlanks = false
    private var reader: (any CallReader)?
    /// The text of a section's opening and its calls so far, for when it is no section.
    private var consumed: [UInt8] = []
    private var callCount = 0
    /// Blanks at the end of what has been passed on. Longer runs of them are no frame.
    private var blankCount = 0
    private static let blankLimit = 256
    private var harmony: HarmonyParser?
    private var pieces: [AnswerPiece] = []

    /// - Parameters:
    ///   - form: how calls are written; nil where none are looked for.
    ///   - reasoning: how thoughts are written; nil where none are looked for.
    ///   - isThinking: whether the prompt ends with the thoughts' opening.
    package init(_ form: ToolForm?, tools: [Tool] = [], reasoning: ReasoningForm? = nil, isThinking: Bool = false) {
        (self.form, self.tools, thoughts) = (form, tools, reasoning)
        let openings = [form?.opening, form?.otherOpening, reasoning?.opening].compactMap { $0 }.filter { !$0.isEmpty }
        (marks, closing) = (openings.map { Array($0.utf8) }, Array((reasoning?.closing ?? "").utf8))
        if form?.call == .harmony || reasoning?.name == "harmony" { harmony = HarmonyParser() }
        if isThinking, reasoning != nil { (state, skipsBlanks) = (.reasoning, true) }
    }

    /// Whether a call has been read.
    package var hasCalls: Bool { callCount > 0 || harmony?.callCount ?? 0 > 0 }

    /// Takes more of the answer in.
    ///
    /// - Parameter isLast: whether nothing follows.
    /// - Returns: what is certain by now; with the last text, all that is left.
    package mutating func feed(_ text: String, isLast: Bool = false) -> [AnswerPiece] {
        if harmony != nil { return harmony?.feed(text, isLast: isLast) ?? [] }
        pending += text.utf8
        while advance(isLast) {}
        defer { pieces = [] }
        return pieces
    }

    /// - Returns: whether there may be more to read.
    private mutating func advance(_ isLast: Bool) -> Bool {
        switch state {
        case .content: return readContent(isLast)
        case .reasoning: return readReasoning(isLast)
        case .section(let isFirst): return readSection(isFirst: isFirst, isLast)
        case .call: return readCall(isLast)
        }
    }

    // MARK: Content

    private mutating func readContent(_ isLast: Bool) -> Bool {
        if skipsBlanks { dropBlanks() }
        if pending.isEmpty { return false }
        if isAtStart, let form, form.opening.isEmpty {
            guard let first = pending.first(where: { !Self.isBlank($0) }) else {
                if isLast { say(pending.count) }
                return false
            }
            let sign = if case .python = form.call { UInt8(ascii: "[") } else { UInt8(ascii: "{") }
            if first == sign {
                isAtStart = false
                open()
                return true
            }
        }
        if let found = Self.first(marks, in: pending) {
            let mark = marks[found.mark]
            // Blanks before a mark are part of its frame.
            let end = lengthWithoutBlanks(found.place)
            say(end)
            pending.removeFirst(found.place - end)
            isAtStart = false
            pending.removeFirst(mark.count)
            if thoughts != nil, found.mark == marks.count - 1 {
                (state, skipsBlanks) = (.reasoning, true)
            } else {
                consumed = mark
                open()
            }
            return true
        }
        // What may be the beginning of a mark waits, and so do blanks, which may stand before one.
        var end = isLast ? pending.count : pending.count - Self.suffix(of: pending, beginning: marks)
        // Behind calls, blanks at the end say nothing.
        if isLast ? hasCalls : !marks.isEmpty { end = lengthWithoutBlanks(end) }
        say(end)
        if isLast { pending = [] }
        return false
    }

    private mutating func open() {
        state = .section(isFirst: true)
        skipsBlanks = true
        reader = nil
    }

    /// Passes the first bytes on as content.
    private mutating func say(_ count: Int) {
        guard count > 0 else { return }
        let text = pending[..<count]
        if isAtStart, !text.allSatisfy(Self.isBlank) { isAtStart = false }
        noteBlanks(text)
        pieces.append(.content(String(decoding: text, as: UTF8.self)))
        pending.removeFirst(count)
        skipsBlanks = false
    }

    private mutating func noteBlanks(_ text: ArraySlice<UInt8>) {
        let blanks = text.reversed().prefix(while: Self.isBlank).count
        blankCount = blanks == text.count ? blankCount + blanks : blanks
    }

    /// The first bytes without the blanks at their end, unless there are very many.
    private func lengthWithoutBlanks(_ count: Int) -> Int {
        var end = count
        while end > 0, Self.isBlank(pending[end - 1]), count - end + blankCount <= Self.blankLimit { end -= 1 }
        return end > 0 && Self.isBlank(pending[end - 1]) ? count : end
    }

    private mutating func dropBlanks() {
        let count = pending.prefix(while: Self.isBlank).count
        pending.removeFirst(count)
        if !pending.isEmpty { skipsBlanks = false }
    }

    // MARK: Thoughts

    private mutating func readReasoning(_ isLast: Bool) -> Bool {
        if skipsBlanks { dropBlanks() }
        let found = Self.first([closing], in: pending)
        let next =
            found?.place ?? (isLast ? pending.count : pending.count - Self.suffix(of: pending, beginning: [closing]))
        let end = lengthWithoutBlanks(next)
        if end > 0 {
            noteBlanks(pending[..<end])
            pieces.append(.reasoning(String(decoding: pending[..<end], as: UTF8.self)))
            pending.removeFirst(end)
        }
        guard found != nil else {
            if isLast { pending = [] }
            return false
        }
        pending.removeFirst(next - end + closing.count)
        (state, skipsBlanks, blankCount) = (.content, true, 0)
        return true
    }

    // MARK: Calls

    private mutating func readSection(isFirst: Bool, _ isLast: Bool) -> Bool {
        guard let form else { return false }
        let blanks = pending.prefix {
            Self.isBlank($0) || !isFirst && (form.opening.isEmpty && $0 == UInt8(ascii: ";"))
        }
        if blanks.count == pending.count {
            if isLast { if isFirst { giveUp() } else { leave() } }
            return false
        }
        let closing = Array(form.closing.utf8)
        let rest = pending[blanks.count...]
        if !closing.isEmpty, !isFirst {
            if rest.starts(with: closing) {
                pending.removeFirst(blanks.count + closing.count)
                leave()
                return true
            }
            if closing.starts(with: rest) {
                if isLast { pending = [] }
                return false
            }
        }
        // Without a text that closes it, a section ends where no further call begins.
        if !isFirst, closing.isEmpty, form.hasOneCall || !mayBeginCall(rest, form) {
            leave()
            return true
        }
        consumed += blanks
        pending.removeFirst(blanks.count)
        reader = form.reader(tools: tools)
        state = .call
        return true
    }

    private func mayBeginCall(_ rest: ArraySlice<UInt8>, _ form: ToolForm) -> Bool {
        switch form.call {
        case .object(_, _, inList: false): return rest.first == UInt8(ascii: "{")
        case .named(let before, _, _, _) where !before.isEmpty:
            return rest.starts(with: before.utf8) || before.utf8.starts(with: rest)
        default: return false
        }
    }

    private mutating func leave() {
        (state, skipsBlanks, reader, consumed) = (.content, true, nil, [])
    }

    private mutating func readCall(_ isLast: Bool) -> Bool {
        guard var reader else { return false }
        self.reader = nil
        let outcome = reader.read(pending, isLast: isLast)
        consumed += pending[..<outcome.count]
        pending.removeFirst(outcome.count)
        for step in outcome.steps {
            switch step {
            case .name(let name):
                pieces.append(.call(callCount, name: name))
                callCount += 1
                consumed = []
            case .arguments(let bytes):
                if bytes.isEmpty { continue }
                pieces.append(.arguments(callCount - 1, String(decoding: bytes, as: UTF8.self)))
                consumed = []
            }
        }
        switch outcome.state {
        case .more:
            self.reader = reader
            if isLast, !reader.hasBegun { giveUp() }
            return false
        case .done:
            consumed = []
            state = .section(isFirst: false)
            return true
        case .malformed:
            giveUp()
            return true
        }
    }

    /// What was taken for a call is content after all.
    private mutating func giveUp() {
        pieces += consumed.isEmpty ? [] : [.content(String(decoding: consumed, as: UTF8.self))]
        (state, skipsBlanks, reader, consumed) = (.content, false, nil, [])
        isAtStart = false
    }

    // MARK: Bytes

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// The first place where one of some texts stands; of several at one place, the longest.
    static func first(_ texts: [[UInt8]], in bytes: [UInt8]) -> (place: Int, mark: Int)? {
        guard !texts.isEmpty else { return nil }
        let firsts = Set(texts.compactMap(\.first))
        for place in bytes.indices where firsts.contains(bytes[place]) {
            let found = texts.indices.filter { bytes[place...].starts(with: texts[$0]) }
            if let best = found.max(by: { texts[$0].count < texts[$1].count }) { return (place, best) }
        }
        return nil
    }

    /// How many bytes at the end may be the beginning of one of some texts.
    static func suffix(of bytes: [UInt8], beginning texts: [[UInt8]]) -> Int {
        let longest = min(bytes.count, (texts.map(\.count).max() ?? 1) - 1)
        for count in stride(from: longest, to: 0, by: -1)
        where texts.contains(where: { $0.count > count && $0.starts(with: bytes.suffix(count)) }) {
            return count
        }
        return 0
    }
}

/// Reads one call, or one list of calls.
protocol CallReader: Sendable {
    /// Whether a call has been told of.
    var hasBegun: Bool { get }

    /// - Parameters:
    ///   - bytes: what follows what has been read.
    ///   - isLast: whether nothing follows.
    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading
}

struct CallReading {
    enum Step: Equatable {
        case name(String)
        case arguments([UInt8])
    }
    enum State {
        /// What has not been read waits for more.
        case more
        case done
        case malformed
    }

    /// Bytes that have been read.
    var count = 0
    var steps: [Step] = []
    var state = State.more
}

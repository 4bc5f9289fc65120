import JSON

/// The parts of one answer as they come, one behind the other: a thought, words, a call.
struct AnswerBlocks: Sendable {
    struct Block: Sendable {
        let part: AnswerDelta.Part
        /// Of a call.
        let call: AnswerDelta.Call?
        var text = ""
        /// Of a call that is whole.
        var input: JSONValue? { call.flatMap { _ in try? JSONParser.parse(Array(text.utf8)) } }
    }

    /// What has happened to the blocks.
    enum Change {
        case began(Int)
        case text(Int, String)
        case ended(Int)
    }

    private(set) var blocks: [Block] = []
    private var isOpen = false

    mutating func take(_ delta: AnswerDelta) -> [Change] {
        var changes: [Change] = []
        let begins = !isOpen || delta.part != blocks.last?.part
        if delta.call != nil || !delta.text.isEmpty && begins {
            changes += begin(delta.part, call: delta.call)
        }
        guard !delta.text.isEmpty, let last = blocks.indices.last else { return changes }
        blocks[last].text += delta.text
        changes.append(.text(last, delta.text))
        return changes
    }

    /// Begins a block without text.
    mutating func begin(_ part: AnswerDelta.Part, call: AnswerDelta.Call? = nil) -> [Change] {
        let ended = end()
        blocks.append(Block(part: part, call: call))
        isOpen = true
        return ended + [.began(blocks.count - 1)]
    }

    /// Ends the block that is open, if any is.
    mutating func end() -> [Change] {
        guard isOpen else { return [] }
        isOpen = false
        return [.ended(blocks.count - 1)]
    }
}

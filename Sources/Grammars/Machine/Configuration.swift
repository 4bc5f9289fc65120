/// Where one is in a text that is read: small, and equal where everything that may follow is equal.
struct Configuration: Hashable, Sendable {
    enum Phase: UInt8, Sendable {
        /// A value is expected; `state` is what it may be.
        case value
        case text, number, literal
        /// Behind `{`, behind a member, behind its comma; `state` is the object's.
        case objectStart, objectNext, objectComma
        /// In a member's name; and behind it, where `state` is what the value may be.
        case key, colon
        /// Behind `[`, and behind an item; `state` is the array's.
        case arrayStart, arrayNext
        /// The whole value has been read.
        case done
    }

    var phase = Phase.value
    /// Blanks since the last sign, with the highest bit behind a line break.
    var blanks: UInt8 = 0
    /// Stands for containers that are not known.
    static let unknownStack: Int32 = -2

    /// The containers around, the innermost first; −1 for none.
    var stack: Int32 = -1
    var state: Int32 = 0
    /// Of a text: its language. Of a name: its node; −1 where no declared name begins so.
    var table: Int32 = 0
    /// The automaton's state; of a literal, its bytes so far.
    var position: Int32 = 0
    /// Scalars so far, where they are counted.
    var length: Int32 = 0
    var decoder = TextDecoder.start
    /// Where a text began that decides what may follow it; 0 where none does.
    var mark: Int32 = 0
}

package import TextModels
import Tokenizers

/// How many tokens an answer may spend on thoughts. Then their end is written in the model's place, and it goes on from there.
package struct ThoughtLimit: Sendable {
    /// The marks around thoughts.
    package let opening: String
    package let closing: String
    /// What is written to end them: `closing`, behind whatever the model's form wants before it.
    package let ending: String
    /// Of all of an answer's thoughts.
    package let tokens: Int
    /// Whether the prompt ends with the opening.
    package let isOpen: Bool

    package static let markLimit = 256

    /// - Throws: `TextModelError.invalidRequest` for marks that are none.
    package init(
        opening: String, closing: String, ending: String, tokens: Int, isOpen: Bool
    ) throws(TextModelError) {
        guard [opening, closing, ending].allSatisfy({ (1...Self.markLimit).contains($0.utf8.count) }),
            ending.hasSuffix(closing)
        else {
            throw TextModelError(
                .invalidRequest,
                "the marks of thoughts have 1 to \(Self.markLimit) bytes, and what ends them ends with the closing one",
                field: "thought_limit")
        }
        (self.opening, self.closing, self.ending) = (opening, closing, ending)
        (self.tokens, self.isOpen) = (tokens, isOpen)
    }
}

/// One choice's way through its limit. It follows from the answer's tokens alone, so that a resume finds it again.
struct ThoughtMeter: Sendable {
    private let opening: [UInt8]
    private let closing: [UInt8]
    private let ending: [Int32]
    private let limit: Int
    private var isOpen: Bool
    private var spent = 0
    /// Tokens of the ending that are written.
    private var written = 0
    /// The end of the text, in which a mark may have begun.
    private var tail: [UInt8] = []

    init(_ limit: ThoughtLimit, _ tokenizer: Tokenizer) {
        (opening, closing) = (Array(limit.opening.utf8), Array(limit.closing.utf8))
        ending = tokenizer.encode(limit.ending, addSpecialTokens: false, parseSpecialTokens: true)
        (self.limit, isOpen) = (limit.tokens, limit.isOpen)
    }

    /// The token that has to come next; nil for any.
    ///
    /// - Parameter isWhole: whether the text ends with a whole character.
    func due(isWhole: Bool) -> Int32? {
        guard isOpen, spent >= limit, isWhole || written > 0, written < ending.count else { return nil }
        return ending[written]
    }

    mutating func take(_ id: Int32, _ text: String) {
        if isOpen {
            let isDue = spent >= limit && written < ending.count && ending[written] == id
            written = isDue ? written + 1 : 0
            spent += 1
        }
        tail += text.utf8
        while let end = end(of: isOpen ? closing : opening) {
            tail.removeFirst(end)
            (isOpen, written) = (!isOpen, 0)
        }
        let kept = max(opening.count, closing.count) - 1
        if tail.count > kept { tail.removeFirst(tail.count - kept) }
    }

    private func end(of mark: [UInt8]) -> Int? {
        guard tail.count >= mark.count else { return nil }
        return (mark.count...tail.count).first { tail[($0 - mark.count)..<$0].elementsEqual(mark) }
    }
}

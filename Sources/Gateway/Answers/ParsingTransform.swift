import ChatFormats
import Messages

/// How a model's answers to a conversation are to be read.
struct AnswerReading: Sendable {
    /// nil where no calls are looked for.
    var toolForm: ToolForm?
    var tools: [Tool] = []
    /// nil where no thoughts are looked for.
    var reasoning: ReasoningForm?
    /// Whether the prompt ends with the thoughts' opening.
    var isThinking = false

    func parser() -> AnswerParser { AnswerParser(toolForm, tools: tools, reasoning: reasoning, isThinking: isThinking) }

    /// Texts of control tokens that the answers have to show.
    var marks: [String] { (toolForm?.marks ?? []) + (reasoning?.marks ?? []) }
}

/// Tells what a model thinks, what it says and which tools it calls apart.
struct ParsingTransform: DeltaTransform {
    private let reading: AnswerReading
    private let generationID: String
    private var parsers: [UInt32: AnswerParser] = [:]
    private var parts: [UInt32: AnswerDelta.Part] = [:]

    init(_ reading: AnswerReading, generationID: String) {
        (self.reading, self.generationID) = (reading, generationID)
    }

    mutating func transform(_ deltas: inout [AnswerDelta]) {
        var read: [AnswerDelta] = []
        for delta in deltas { read += self.read(delta) }
        deltas = read
    }

    private mutating func read(_ delta: AnswerDelta) -> [AnswerDelta] {
        let choice = delta.choice
        let isLast = !delta.finishReason.isEmpty
        let pieces = parsers[choice, default: reading.parser()].feed(delta.text, isLast: isLast)
        var part = parts[choice] ?? (reading.isThinking ? .reasoning : .content)
        var read: [AnswerDelta] = []
        func add(_ text: String, _ own: AnswerDelta.Part) {
            part = own
            if let last = read.indices.last, read[last].part == own {
                read[last].text += text
            } else {
                read.append(delta.bare(text, part: own))
            }
        }
        for piece in pieces {
            switch piece {
            case .content(let text): add(text, .content)
            case .reasoning(let text): add(text, .reasoning)
            case .call(let number, let name):
                part = .call(number)
                read.append(delta.bare("", part: part, call: .init(id: callID(choice, number), name: name)))
            case .arguments(let number, let text): add(text, .call(number))
            }
        }
        parts[choice] = part
        // Tokens come with the first of the texts that they brought, the end with the last.
        if read.isEmpty { read.append(delta.bare("", part: part)) }
        (read[0].tokens, read[0].logprob, read[0].index) = (delta.tokens, delta.logprob, delta.index)
        (read[0].promptLogprobs, read[0].cachedTokens) = (delta.promptLogprobs, delta.cachedTokens)
        if isLast {
            read[read.count - 1].stopSequence = delta.stopSequence
            let calls = parsers[choice]?.hasCalls ?? false
            read[read.count - 1].finishReason =
                calls && delta.finishReason == "stop" ? "tool_calls" : delta.finishReason
            parsers[choice] = nil
        }
        return read
    }

    /// A call's id: the same whoever reads the answer.
    private func callID(_ choice: UInt32, _ number: Int) -> String {
        // Mistral's templates want nine letters and digits.
        let digits = StableDigits("\(generationID)/\(choice)/\(number)")
        return reading.toolForm?.name.hasPrefix("mistral") == true ? digits.text(9) : "call_" + digits.text(24)
    }
}

/// Letters and digits that a text gives (FNV-1a of 64 bits, and SplitMix64 on it).
private struct StableDigits {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325

    init(_ text: String) { for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 } }

    func text(_ count: Int) -> String {
        var state = state
        return String(
            (0..<count).map { _ in
                state &+= 0x9e37_79b9_7f4a_7c15
                var z = state
                z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
                z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
                return Self.alphabet[Int((z ^ z >> 31) % UInt64(Self.alphabet.count))]
            })
    }
}

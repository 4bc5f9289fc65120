/// Reads answers of gpt-oss: messages of channels, of which a header says which they are (OpenAI's harmony format).
struct HarmonyParser: Sendable {
    private enum Body { case header, content, reasoning, call }

    private static let message = Array("<|message|>".utf8)
    private static let ends = ["<|end|>", "<|return|>", "<|call|>", "<|start|>"].map { Array($0.utf8) }
    /// Bytes of a header, at most; what is longer is none.
    private static let headerLimit = 1_024

    private var pending: [UInt8] = []
    private var body = Body.header
    private(set) var callCount = 0

    mutating func feed(_ text: String, isLast: Bool) -> [AnswerPiece] {
        pending += text.utf8
        var pieces: [AnswerPiece] = []
        while advance(isLast, &pieces) {}
        return pieces
    }

    private mutating func advance(_ isLast: Bool, _ pieces: inout [AnswerPiece]) -> Bool {
        if body == .header {
            if let place = AnswerParser.first([Self.message], in: pending)?.place {
                begin(String(decoding: pending[..<place], as: UTF8.self), &pieces)
                pending.removeFirst(place + Self.message.count)
                return true
            }
            if pending.isEmpty || !isLast && pending.count <= Self.headerLimit { return false }
            // No header comes: what was said without one is content, but for a header that was cut.
            if pending.starts(with: Array("<|".utf8)) || pending.starts(with: Array("assistant".utf8)) {
                if isLast { pending = [] }
                if isLast { return false }
            }
            body = .content
            return true
        }
        let found = AnswerParser.first(Self.ends, in: pending)
        let end =
            found?.place
            ?? (isLast ? pending.count : pending.count - AnswerParser.suffix(of: pending, beginning: Self.ends))
        if end > 0 {
            let text = String(decoding: pending[..<end], as: UTF8.self)
            switch body {
            case .content, .header: pieces.append(.content(text))
            case .reasoning: pieces.append(.reasoning(text))
            case .call: pieces.append(.arguments(callCount - 1, text))
            }
        }
        pending.removeFirst(end + (found.map { Self.ends[$0.mark].count } ?? 0))
        if found != nil { body = .header }
        return found != nil
    }

    /// Begins a message by its header: a role, a channel, a recipient, a content type.
    private mutating func begin(_ header: String, _ pieces: inout [AnswerPiece]) {
        if let recipient = header.firstRange(of: "to=functions.") {
            let name = header[recipient.upperBound...].prefix { $0 != " " && $0 != "<" }
            pieces.append(.call(callCount, name: String(name)))
            callCount += 1
            body = .call
        } else {
            body = header.contains("analysis") ? .reasoning : .content
        }
    }
}

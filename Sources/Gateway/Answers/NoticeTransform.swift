/// The words of a notice around one request's answers; either may be empty.
struct AnswerNotice: Sendable {
    var opening: String
    var closing: String
}

/// Puts the notice before the first text of a choice and behind the last; an answer without text has none.
struct NoticeTransform: DeltaTransform {
    private let notice: AnswerNotice
    /// Choices that have said something.
    private var begun: Set<UInt32> = []

    init(_ notice: AnswerNotice) { self.notice = notice }

    mutating func transform(_ deltas: inout [AnswerDelta]) {
        var index = 0
        while index < deltas.count {
            let choice = deltas[index].choice
            if deltas[index].part == .content, !deltas[index].text.isEmpty, begun.insert(choice).inserted {
                deltas[index].text = notice.opening + deltas[index].text
            }
            if !deltas[index].finishReason.isEmpty, begun.contains(choice) {
                if deltas[index].part == .content {
                    deltas[index].text += notice.closing
                } else {
                    deltas.insert(deltas[index].bare(notice.closing, part: .content), at: index)
                    index += 1
                }
            }
            index += 1
        }
    }
}

import Messages
import RPC

/// What has been received of one choice.
struct ChoiceProgress: Sendable {
    private var ids: [Int32] = []
    private var textBytes = 0
    private var logprobs: UInt32 = 0
    private(set) var isFinished = false

    /// Counts a delta.
    ///
    /// - Throws: `RPCError` when it does not follow what came before: then the text-model did not do what it was asked.
    mutating func accept(_ delta: Wire.GenerateDelta) throws {
        guard !isFinished, delta.textOffset == textBytes, delta.index.map({ Int($0) == ids.count }) ?? true else {
            throw RPCError(
                .internalError,
                "a delta of token \(delta.index.map { "\($0)" } ?? "none") at byte \(delta.textOffset) follows "
                    + "\(ids.count) tokens and \(textBytes) bytes", reason: "out_of_order")
        }
        ids += delta.tokens
        textBytes += delta.text.utf8.count
        if delta.logprob != nil { logprobs += 1 }
        isFinished = !delta.finishReason.isEmpty
    }

    var tokenCount: Int { ids.count }

    /// For the call that is made again; nil when there is nothing yet.
    func resume(_ choice: Int) -> Wire.ChoiceResume? {
        if isFinished { return Wire.ChoiceResume(choice: UInt32(choice), isFinished: true) }
        if ids.isEmpty { return nil }
        return Wire.ChoiceResume(choice: UInt32(choice), ids: ids, textBytes: textBytes, logprobs: logprobs)
    }
}

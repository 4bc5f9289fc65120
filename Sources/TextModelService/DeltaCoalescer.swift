import Concurrency
import Messages

/// Deltas of one call on their way to a caller that can wait: tokens of a choice travel together.
///
/// A caller that shows nothing before the end is woken a few times a second instead of with each token; what it has of
/// an answer when this instance is lost is as much less. The first token of a choice never waits, since it tells that
/// the call makes progress, and the last brings along all that do.
struct DeltaCoalescer {
    private struct Choice {
        var hasBegun = false
        var held: Wire.GenerateDelta?
        /// When the first of those that wait came.
        var since = MonotonicInstant.now
    }

    private let batchingDelay: Duration
    private var choices: [Choice]

    /// - Parameters:
    ///   - batchingDelay: how long a token may wait for others; zero for not at all.
    ///   - choices: of the call.
    init(batchingDelay: Duration, choices: Int) {
        self.batchingDelay = batchingDelay
        self.choices = Array(repeating: Choice(), count: batchingDelay > .zero ? choices : 0)
    }

    /// What goes out now that a delta has come; nil while it waits.
    mutating func take(_ delta: Wire.GenerateDelta) -> Wire.GenerateDelta? {
        let number = Int(delta.choice)
        guard choices.indices.contains(number), !delta.isStart else { return delta }
        guard choices[number].hasBegun else {
            choices[number].hasBegun = true
            return delta
        }
        let now = MonotonicInstant.now
        var joined = delta
        if var held = choices[number].held.take() {
            held.append(delta)
            joined = held
        } else {
            choices[number].since = now
        }
        if !joined.finishReason.isEmpty || now - choices[number].since >= batchingDelay { return joined }
        choices[number].held = joined
        return nil
    }

    /// All that waits; nothing does any more.
    mutating func takeAll() -> [Wire.GenerateDelta] {
        choices.indices.compactMap { choices[$0].held.take() }
    }
}

extension Wire.GenerateDelta {
    /// Goes on with what follows; neither has log-probabilities.
    fileprivate mutating func append(_ next: Wire.GenerateDelta) {
        if index == nil { index = next.index }
        tokens += next.tokens
        text += next.text
        (finishReason, stopSequence) = (next.finishReason, next.stopSequence)
    }
}

import Concurrency
import RPC
import Synchronization
import TextGeneration

/// Whether a request can be answered in time, told at once on the thread that asks: the engine's own loop looks at its
/// queue only between steps.
final class Forecast: Sendable {
    private struct State {
        var timetable: Timetable
        var lengths = AnswerLengths()
        /// Those that the engine has not seen yet, in order.
        var offered: [(ticket: UInt64, sequences: [Timetable.Sequence])] = []
        var nextTicket: UInt64 = 0
    }

    private let state: Mutex<State>
    private let origin = MonotonicInstant.now
    /// Of the time that an answer has.
    private static let reserve = 0.15

    init(_ options: EngineCore.Options) {
        state = Mutex(
            State(
                timetable: Timetable(
                    sequenceLimit: options.sequenceLimit, cachePositions: options.cachePositions)))
    }

    /// A deadline on the timetable's clock.
    func seconds(_ deadline: MonotonicInstant?) -> Double {
        deadline.map { ($0 - origin) / .seconds(1) } ?? .infinity
    }

    /// When an answer that is begun now is meant to be complete, so that it comes in time even if all takes longer than
    /// it has of late: a share of its time is kept back.
    ///
    /// - Parameter isLetIn: then others that are let in after it may take half of that.
    func target(_ deadline: MonotonicInstant?, isLetIn: Bool) -> Double {
        let end = seconds(deadline)
        return end.isFinite ? end - max(0, end - seconds(.now)) * (isLetIn ? Self.reserve / 2 : Self.reserve) : end
    }

    /// Tells how the engine stands.
    ///
    /// - Parameter taken: requests that it has seen since it last told.
    func publish(_ timetable: Timetable, _ lengths: AnswerLengths, taken: [UInt64]) {
        state.withLock { state in
            (state.timetable, state.lengths) = (timetable, lengths)
            if !taken.isEmpty { state.offered.removeAll { taken.contains($0.ticket) } }
        }
    }

    /// A request that was admitted does not come.
    func withdraw(_ ticket: UInt64) {
        state.withLock { $0.offered.removeAll { $0.ticket == ticket } }
    }

    /// Counts a request that is about to be offered, unless its answer would come too late, or make others come too late.
    ///
    /// - Returns: what it is counted by, until the engine has seen it.
    /// - Throws: `RPCError` RESOURCE_EXHAUSTED that says when to try again.
    func admit(_ request: GenerationRequest, until deadline: MonotonicInstant?) throws -> UInt64 {
        let (now, deadline) = (seconds(.now), target(deadline, isLetIn: false))
        return try state.withLock { state in
            let sequences = Self.sequences(of: request, deadline, state.lengths)
            // A call that has moved here is not turned away any more.
            if request.resume.isEmpty, deadline < .infinity {
                var timetable = state.timetable
                for offered in state.offered { timetable.waiting += offered.sequences }
                if let wait = timetable.refusal(of: sequences, now: now) {
                    throw Self.tooLate(wait, of: deadline - now)
                }
            }
            state.nextTicket += 1
            state.offered.append((state.nextTicket, sequences))
            return state.nextTicket
        }
    }

    private static func sequences(
        of request: GenerationRequest, _ deadline: Double, _ lengths: AnswerLengths
    ) -> [Timetable.Sequence] {
        let resumed = Dictionary(request.resume.map { ($0.choice, $0) }) { $1 }
        return (0..<request.n).filter { resumed[$0]?.isFinished != true }.enumerated().map { number, choice in
            let generated = resumed[choice]?.ids.count ?? 0
            let allowed = max(0, request.maxTokens - generated)
            let answer = request.hasKnownLength ? allowed : lengths.remaining(generated: generated, allowed: allowed)
            // Further choices share the prompt's pages.
            let own = number == 0 ? request.prompt.count : 1
            return Timetable.Sequence(
                prompt: own + generated, answer: answer, positions: own + generated + answer, deadline: deadline,
                isPatient: request.isPatient)
        }
    }

    private static func tooLate(_ wait: Double, of left: Double) -> RPCError {
        RPCError(
            .resourceExhausted,
            "the engine has so much to do that this request, or one before it, would miss its deadline",
            reason: "too_late", retryAfter: .seconds(min(wait, 600)), notStarted: true)
    }
}

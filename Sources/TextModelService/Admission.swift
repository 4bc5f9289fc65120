import Concurrency
import RPC
import Synchronization
import TextGeneration

/// Decides on the thread that asks whether a request can be answered in time: the engine's own loop looks at its queue
/// only between steps.
final class Admission: Sendable {
    private struct State {
        var forecast: AdmissionForecast
        /// Requests that were let in and that the engine has not seen yet, in order.
        var offered: [(ticket: UInt64, sequences: [CompletionEstimate.Sequence])] = []
        var nextTicket: UInt64 = 0
    }

    private let state: Mutex<State>
    private let origin = MonotonicInstant.now

    init(_ forecast: AdmissionForecast) { state = Mutex(State(forecast: forecast)) }

    /// A deadline in seconds on the forecast's clock; infinite for none.
    func seconds(_ deadline: MonotonicInstant?) -> Double {
        deadline.map { ($0 - origin) / .seconds(1) } ?? .infinity
    }

    /// Replaces the forecast.
    ///
    /// - Parameter taken: tickets of the requests that the engine has seen since the last one.
    func publish(_ forecast: AdmissionForecast, taken: [UInt64]) {
        state.withLock { state in
            state.forecast = forecast
            if !taken.isEmpty { state.offered.removeAll { taken.contains($0.ticket) } }
        }
    }

    /// Forgets a request that was let in and does not come.
    func withdraw(_ ticket: UInt64) {
        state.withLock { $0.offered.removeAll { $0.ticket == ticket } }
    }

    /// Counts a request that is about to be offered, unless its answer would come too late, or make others come too late.
    ///
    /// - Returns: the ticket by which it is counted until the engine has seen it.
    /// - Throws: `RPCError` RESOURCE_EXHAUSTED that says when to try again.
    func admit(_ request: GenerationRequest, until deadline: MonotonicInstant?) throws -> UInt64 {
        let now = seconds(.now)
        let target = AdmissionForecast.target(deadline: seconds(deadline), now: now, isLetIn: false)
        return try state.withLock { state in
            let sequences = state.forecast.sequences(of: request, target: target)
            // A call that has moved here is not turned away any more.
            if request.resume.isEmpty, target < .infinity,
                let wait = state.forecast.refusal(
                    of: sequences, offered: state.offered.flatMap(\.sequences), now: now)
            {
                throw Self.tooLate(wait)
            }
            state.nextTicket += 1
            state.offered.append((state.nextTicket, sequences))
            return state.nextTicket
        }
    }

    private static func tooLate(_ wait: Double) -> RPCError {
        RPCError(
            .resourceExhausted,
            "the engine has so much to do that this request, or one before it, would miss its deadline",
            reason: "too_late", retryAfter: .seconds(min(wait, 600)), notStarted: true)
    }
}

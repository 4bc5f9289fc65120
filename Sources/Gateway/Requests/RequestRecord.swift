import Accounts
import Observability
import Synchronization

/// What became of one request, for metrics and bills. It holds text only where the operator has switched recording on.
final class RequestRecord: Sendable {
    struct State: Sendable {
        let started = ContinuousClock.now
        /// The name of the route that took it; empty where none did.
        var route = ""
        var model = ""
        var promptTokens = 0
        var completionTokens = 0
        var pictures = 0
        var firstToken: ContinuousClock.Instant?
        var lastToken: ContinuousClock.Instant?
        /// From each token to the next.
        var gaps = GatewayMetrics.betweenTokens
        /// The HTTP status of what went wrong.
        var failure: Int?
        /// The reason of each choice that has ended.
        var finishReasons: [String] = []
        /// What the answer is known by.
        var answerID = ""
        var turns: [Recording.Turn] = []
        /// The text of the first choice.
        var answer = ""
        /// What it calls.
        var calls: [Recording.Call] = []
    }

    /// The path, as the API's documents name it.
    let endpoint: String
    let keepsText: Bool
    private let state = Mutex(State())

    init(endpoint: String, keepsText: Bool = false) { (self.endpoint, self.keepsText) = (endpoint, keepsText) }

    var snapshot: State { state.withLock { $0 } }

    func routed(_ route: String?, model: String) {
        state.withLock { ($0.route, $0.model) = (route ?? "", model) }
    }

    func began(_ answerID: String, promptTokens: Int) {
        state.withLock { ($0.answerID, $0.promptTokens) = (answerID, promptTokens) }
    }

    func keep(_ turns: @autoclosure () -> [Recording.Turn]) {
        if keepsText { state.withLock { [turns = turns()] in $0.turns = turns } }
    }

    func keep(answer text: String, choice: UInt32) {
        if keepsText, choice == 0 { state.withLock { $0.answer += text } }
    }

    /// - Parameters:
    ///   - call: one that begins; nil for more of the arguments of the last one.
    func keep(call: AnswerDelta.Call?, arguments text: String, choice: UInt32) {
        guard keepsText, choice == 0 else { return }
        state.withLock { state in
            if let call { state.calls.append(.init(id: call.id, name: call.name, arguments: "")) }
            if !state.calls.isEmpty { state.calls[state.calls.count - 1].function.arguments += text }
        }
    }

    /// - Parameter count: tokens that came together; each is taken to have needed an equal time.
    func tokens(_ count: Int) {
        let now = ContinuousClock.now
        state.withLock { state in
            state.completionTokens += count
            if let last = state.lastToken {
                state.gaps.observe((now - last) / .seconds(1) / Double(count), times: count)
            } else {
                state.firstToken = now
            }
            state.lastToken = now
        }
    }

    func failed(_ status: Int) { state.withLock { $0.failure = status } }

    func picture() { state.withLock { $0.pictures += 1 } }

    func finished(_ reason: String) { state.withLock { $0.finishReasons.append(reason) } }
}

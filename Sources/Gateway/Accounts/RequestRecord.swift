import Accounts
import Synchronization

/// What became of one request, for whoever counts. There is text in it only where the operator has switched recording on.
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
        /// Of each choice that has ended.
        var finishReasons: [String] = []
        /// What the answer is known by.
        var answerID = ""
        var turns: [Recording.Turn] = []
        /// Of the first choice.
        var answer = ""
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

    /// - Returns: Since the last token of this request, and nil for the first.
    @discardableResult func token() -> Duration? {
        state.withLock { state in
            let now = ContinuousClock.now
            defer { state.lastToken = now }
            state.completionTokens += 1
            guard let last = state.lastToken else {
                state.firstToken = now
                return nil
            }
            return now - last
        }
    }

    func picture() { state.withLock { $0.pictures += 1 } }

    func finished(_ reason: String) { state.withLock { $0.finishReasons.append(reason) } }
}

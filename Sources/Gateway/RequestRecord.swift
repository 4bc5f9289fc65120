import Synchronization

/// What became of one request, for whoever counts: no text of it.
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
    }

    /// The path, as the API's documents name it.
    let endpoint: String
    private let state = Mutex(State())

    init(endpoint: String) { self.endpoint = endpoint }

    var snapshot: State { state.withLock { $0 } }

    func routed(_ route: String?, model: String) {
        state.withLock { ($0.route, $0.model) = (route ?? "", model) }
    }

    func began(promptTokens: Int) { state.withLock { $0.promptTokens = promptTokens } }

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

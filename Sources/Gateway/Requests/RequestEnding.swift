import Accounts

/// Writes a request down when nothing holds it any more: its answer is out, or nobody waits for it.
final class RequestEnding: Sendable {
    private let scope: RequestScope
    private let accounts: AccountKeeper?
    private let metrics: GatewayMetrics

    init(_ scope: RequestScope, _ accounts: AccountKeeper?, _ metrics: GatewayMetrics) {
        (self.scope, self.accounts, self.metrics) = (scope, accounts, metrics)
    }

    deinit {
        metrics.count(scope.record)
        guard let caller = scope.caller, let accounts else { return }
        let state = scope.record.snapshot
        caller.settle(state)
        // A half answer teaches nothing.
        guard scope.record.keepsText, !state.turns.isEmpty, !state.finishReasons.isEmpty else { return }
        Task {
            await accounts.record(
                Recording(
                    id: state.answerID, key: caller.account.id, model: state.model, turns: state.turns,
                    answer: state.answer))
        }
    }
}

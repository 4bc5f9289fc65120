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
        let (caller, record, accounts) = (scope.caller, scope.record, accounts)
        guard let caller, let accounts else { return }
        Task {
            await caller.settle(record)
            let state = record.snapshot
            // A half answer teaches nothing.
            if record.keepsText, !state.turns.isEmpty, !state.finishReasons.isEmpty {
                await accounts.record(
                    Recording(
                        id: state.answerID, key: caller.account.id, model: state.model, turns: state.turns,
                        answer: state.answer))
            }
        }
    }
}

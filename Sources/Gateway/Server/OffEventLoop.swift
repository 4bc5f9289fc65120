/// Does work that would hold the connections of an event loop up for more than about a millisecond, on a thread of the
/// common pool.
func offEventLoop<Result: Sendable>(_ work: @Sendable () throws -> Result) async throws -> Result {
    try await withTaskExecutorPreference(globalConcurrentExecutor) { try work() }
}

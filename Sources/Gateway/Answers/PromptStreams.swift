import Concurrency
import Hummingbird
import NIOCore
import RPC
import Synchronization

/// Streams whose first event takes long.
struct PromptStreams: Sendable {
    /// A stream's head is sent after this long at the latest.
    let headDelay: TimeAmount
    let clients: ConnectedClients
    let counters: CallCounters

    /// The response that `make` gives. Where that is a stream and takes longer than `headDelay`, a stream that waits for it.
    ///
    /// - Throws: what `make` throws in that time.
    func promptly(
        isStream: Bool, _ scope: RequestScope, _ make: @escaping @Sendable () async throws -> Response
    ) async throws -> Response {
        guard isStream, let channel = scope.channel else { return try await make() }
        let response = EventualResponse(on: channel.eventLoop, make)
        if let ready = try await response.value(within: headDelay, on: channel.eventLoop) { return ready }
        return EventStream.response(
            ResponseBody { writer in
                do {
                    let late = try await clients.whilePresent(channel) { try await response.value() }
                    return try await late.body.write(writer)
                } catch let error as APIError {
                    if error.status == .tooManyRequests { counters.countRefused() }
                    scope.record.failed(error.status.code)
                    try await writer.write(
                        EventStream.event(error, in: APIDialect(path: scope.record.endpoint)))
                }
                try await writer.finish(nil)
            })
    }
}

/// A response in the making.
private final class EventualResponse: Sendable {
    private struct State {
        var result: Result<Response, any Error>?
        var waiter: CheckedContinuation<Result<Response, any Error>?, Never>?
    }

    private let state = Mutex(State())
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(on loop: any EventLoop, _ make: @escaping @Sendable () async throws -> Response) {
        let work = Task(executorPreference: FunctionExecutor(loop)) { [weak self] in
            let result: Result<Response, any Error>
            do { result = .success(try await make()) } catch { result = .failure(error) }
            self?.finish(result)
        }
        task.withLock { $0 = work }
    }

    deinit { task.withLock { $0 }?.cancel() }

    private func finish(_ result: Result<Response, any Error>) {
        let waiter = state.withLock { state in
            state.result = result
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: result)
    }

    /// - Returns: nil when there is none after that time.
    func value(within time: TimeAmount, on loop: any EventLoop) async throws -> Response? {
        let timer = loop.scheduleTask(in: time) { [weak self] in self?.giveUpWaiting() }
        defer { timer.cancel() }
        return try await wait()?.get()
    }

    func value() async throws -> Response {
        guard let result = await wait() else { throw CancellationError() }
        return try result.get()
    }

    private func giveUpWaiting() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    private func wait() async -> Result<Response, any Error>? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let result = state.withLock { state in
                    if state.result == nil { state.waiter = continuation }
                    return state.result
                }
                if let result { continuation.resume(returning: result) }
            }
        } onCancel: {
            // It ends soon, and its end is awaited.
            task.withLock { $0 }?.cancel()
        }
    }
}

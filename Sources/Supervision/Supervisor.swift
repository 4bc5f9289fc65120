package import Foundation
package import Logging

/// Keeps processes running: starts them, starts again what dies, and stops them in reverse order.
///
/// Each child's standard input is a pipe that nobody writes to. When the supervisor dies, however it dies, the pipe
/// ends, and the child drains and stops.
package actor Supervisor {
    /// Where what the services say goes.
    package enum Output: Sendable {
        case standardError
        case file(FileHandle)
    }

    private struct Child {
        var service: SupervisedService
        var process: Process?
        var incarnation = 0
        var startedAt = ContinuousClock.now
        var delay: Duration = .zero
    }

    private enum Event: Sendable {
        case exited(index: Int, incarnation: Int, status: Int32)
        case due(index: Int)
    }

    /// A service that lived this long starts again at once.
    private static let stableAfter: Duration = .seconds(10)
    private static let longestDelay: Duration = .seconds(5)

    private let logger: Logger
    private let output: Output
    private let lifeline = Pipe()
    private var children: [Child]
    private var isReady = false
    /// Dispensable services that have died before the system was ready.
    package private(set) var fallen: Set<String> = []
    private var isStopping = false
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation

    /// - Parameter services: in the order in which they start.
    package init(_ services: [SupervisedService], output: Output, logger: Logger) {
        children = services.map { Child(service: $0) }
        self.output = output
        self.logger = logger
        (events, continuation) = AsyncStream.makeStream()
    }

    /// The processes that run now, by the name of their service.
    package var processIdentifiers: [String: Int32] {
        Dictionary(
            children.compactMap { child in
                child.process.flatMap { $0.isRunning ? (child.service.name, $0.processIdentifier) : nil }
            }
        ) { $1 }
    }

    /// From now on a service that dies is started again; before, its death ends the run.
    package func becameReady() { isReady = true }

    /// Starts everything and keeps it running until `stop` is called.
    ///
    /// - Throws: `SupervisionError` when a service cannot start, or dies before the system was ready.
    package func run() async throws {
        do {
            for index in children.indices { try start(index) }
            for await event in events {
                switch event {
                case .exited(let index, let incarnation, let status): try exited(index, incarnation, status)
                case .due(let index): if !isStopping { try start(index) }
                }
            }
        } catch {
            await stop(grace: .seconds(5))
            throw error
        }
    }

    /// SIGTERM to each, the last started first; SIGKILL to what outlives a `grace` of its own.
    package func stop(grace: Duration) async {
        if isStopping { return }
        isStopping = true
        for index in children.indices.reversed() {
            guard let process = children[index].process, process.isRunning else { continue }
            process.terminate()
            let deadline = ContinuousClock.now + grace
            while process.isRunning, .now < deadline { await pause() }
            if process.isRunning {
                logger.warning("\(children[index].service.name) outlived its grace period and is killed")
                kill(process.processIdentifier, SIGKILL)
            }
            while process.isRunning { await pause() }
            removeSocket(index)
        }
        continuation.finish()
    }

    /// Goes on when its task is cancelled: what was started is stopped all the same.
    private func pause() async { try? await Task.sleep(for: .milliseconds(10)) }

    private func start(_ index: Int) throws {
        children[index].incarnation += 1
        let incarnation = children[index].incarnation
        let service = children[index].service
        let process = Process()
        process.executableURL = service.executable
        process.arguments = service.arguments(incarnation: incarnation)
        process.environment = ProcessInfo.processInfo.environment.merging(["NEPHELE_LIFELINE": "stdin"]) { $1 }
        // The handle, not the pipe: `Process` closes a pipe's reading end once a child has it.
        process.standardInput = lifeline.fileHandleForReading
        if case .file(let handle) = output {
            process.standardOutput = handle
            process.standardError = handle
        }
        let continuation = continuation
        process.terminationHandler = { process in
            continuation.yield(.exited(index: index, incarnation: incarnation, status: process.terminationStatus))
        }
        do {
            try process.run()
        } catch {
            throw SupervisionError("cannot start \(service.executable.path): \(error.localizedDescription)")
        }
        children[index].process = process
        children[index].startedAt = .now
    }

    private func exited(_ index: Int, _ incarnation: Int, _ status: Int32) throws {
        guard !isStopping, children[index].incarnation == incarnation else { return }
        removeSocket(index)
        children[index].process = nil
        let name = children[index].service.name
        if !isReady, children[index].service.isDispensable {
            fallen.insert(name)
            logger.error("\(name) ended with status \(status) before it was ready: what it serves is missing meanwhile")
        } else if !isReady {
            throw SupervisionError("\(name) ended with status \(status) before the system was ready")
        }
        let lived = ContinuousClock.now - children[index].startedAt
        let delay: Duration =
            lived >= Self.stableAfter
            ? .zero : min(Self.longestDelay, max(.milliseconds(100), children[index].delay * 2))
        children[index].delay = delay
        logger.warning("\(name) ended with status \(status); it starts again in \(delay)")
        let continuation = continuation
        Task {
            try? await Task.sleep(for: delay)
            continuation.yield(.due(index: index))
        }
    }

    private func removeSocket(_ index: Int) {
        guard let path = children[index].service.socket(incarnation: children[index].incarnation) else { return }
        try? FileManager.default.removeItem(atPath: path)
    }
}

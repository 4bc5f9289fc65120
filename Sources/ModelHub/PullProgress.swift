internal import Synchronization

/// How far a pull is, for whoever shows it.
package final class PullProgress: Sendable {
    package struct State: Sendable {
        /// Bytes that are to come, and those that have come, in this run or in one before.
        package var total = 0
        package var received = 0
        package var files = 0
        package var finishedFiles = 0
        /// A file that another process fetches right now.
        package var waitsFor: String?
    }

    private let current = Mutex(State())

    package init() {}

    package var state: State { current.withLock { $0 } }

    func begin(_ files: [HubFile]) {
        current.withLock {
            $0.files = files.count
            $0.total = files.reduce(0) { $0 + $1.size }
        }
    }

    func add(_ bytes: Int) { current.withLock { $0.received += bytes } }
    func finishFile() { current.withLock { $0.finishedFiles += 1 } }
    func wait(for file: String?) { current.withLock { $0.waitsFor = file } }
}

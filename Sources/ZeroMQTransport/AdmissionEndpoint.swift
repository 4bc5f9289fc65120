internal import Concurrency
internal import ZeroMQ

/// Answers libzmq's question who may come in, out of the list of keys.
final class AdmissionEndpoint: LoopEndpoint {
    private let socket: AdmissionSocket
    private let keys: BusKeys
    private let log: RefusalLog
    let descriptor: Int32
    var eventDescriptor: Int32? { nil }
    var isOver: Bool { false }

    init(_ socket: AdmissionSocket, _ keys: BusKeys, _ log: RefusalLog) throws {
        self.socket = socket
        self.keys = keys
        self.log = log
        descriptor = try socket.descriptor()
    }

    func receive(limit: Int) throws -> Bool {
        for _ in 0..<limit {
            guard let request = try socket.next() else { return false }
            refresh()
            let isAdmitted = request.key.map { keys.admits($0) } ?? false
            try socket.answer(request, isAdmitted: isAdmitted)
            guard !isAdmitted else { continue }
            log.refused(Refusal(address: request.address, reason: .notListed(request.key?.text ?? "(none)")))
        }
        return true
    }

    private func refresh() {
        if let problem = keys.refresh() { log.problem(problem) }
    }

    func tick(_ now: MonotonicInstant) -> MonotonicInstant {
        refresh()
        return now + BusKeys.look
    }

    func close(_ reason: String) { socket.close() }

    // Only libzmq's own threads are on the other side.
    func send(_ route: Route) {}
    func sendAhead(_ route: Route) -> Bool { true }
    func flush() -> Bool { false }
    func receiveEvents() {}
    func closePeer(_ route: Route) {}
}

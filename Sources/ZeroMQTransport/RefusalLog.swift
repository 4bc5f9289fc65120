internal import Logging
internal import Synchronization

/// A peer that did not get in.
package struct Refusal: Sendable, Equatable {
    package enum Reason: Sendable, Equatable {
        /// It proved a key that is not on the list.
        case notListed(String)
        /// It offered no key, and this side wants one; or the other way round.
        case otherMechanism(hasKeys: Bool)
        /// It takes another key for this server's.
        case wrongServerKey
        /// The peer's key was taken off the list.
        case revoked(String)
    }

    package let address: String?
    package let reason: Reason

    package var description: String {
        let peer = "a peer" + (address.map { " at \($0)" } ?? "")
        return switch reason {
        case .notListed(let key): "\(peer) was refused: its key \(key) is not in \(KeyList.name)"
        case .otherMechanism(true): "\(peer) was refused: it has no key; give it NEPHELE_BUS_KEYS"
        case .otherMechanism(false): "\(peer) was refused: it has a key and this service has none: NEPHELE_BUS_KEYS"
        case .wrongServerKey: "\(peer) was refused: its \(KeyList.name) has another key for this service"
        case .revoked(let key): "\(peer) was disconnected: its key \(key) is no longer in \(KeyList.name)"
        }
    }
}

/// Tells of refused peers, a line a second at most: strangers must not fill the disk.
final class RefusalLog: Sendable {
    private struct State {
        var nextLine = ContinuousClock.now
        var unsaid = 0
    }

    private let state = Mutex(State())
    private let logger = Logger(label: "nephele-bus")
    /// For tests: hears every one.
    private let observer: (@Sendable (Refusal) -> Void)?

    private static let pause: Duration = .seconds(1)

    init(observer: (@Sendable (Refusal) -> Void)?) {
        self.observer = observer
    }

    func refused(_ refusal: Refusal) {
        observer?(refusal)
        if let line = line(refusal, now: .now) { logger.warning("\(line)") }
    }

    /// - Returns: what to write now; nil: nothing.
    func line(_ refusal: Refusal, now: ContinuousClock.Instant) -> String? {
        state.withLock { state in
            guard now >= state.nextLine else {
                state.unsaid += 1
                return nil
            }
            defer { (state.nextLine, state.unsaid) = (now + Self.pause, 0) }
            return refusal.description + (state.unsaid == 0 ? "" : "; \(state.unsaid) more since the last line")
        }
    }

    func problem(_ text: String) { logger.warning("\(text)") }
}

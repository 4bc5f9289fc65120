internal import Foundation
internal import RPC
internal import Synchronization
package import ZeroMQ

/// Who this process is on the bus, and whom it knows: a directory with `bus.key`, its own key pair, and `allowed.keys`,
/// names and public keys, one a line.
///
/// The list says both who may come in and which key a server of a name must have. It is read again when it changes;
/// one that cannot be read then leaves the last one in force.
package final class BusKeys: Sendable {
    /// Names and public keys, as the list has them.
    package typealias List = [String: CurvePublicKey]

    private struct State {
        var list: List
        var admitted: Set<CurvePublicKey>
        /// The file's stamp of the list in force.
        var stamp: Stamp?
        /// The stamp of the list that was last found to be wrong or unreadable.
        var complainedOf: Stamp?
        var nextLook: ContinuousClock.Instant
        var generation = 0
    }

    /// What tells one state of a file from the next.
    private struct Stamp: Equatable {
        let modified: Date
        let size: Int
        let inode: Int
        /// Where links lead: Kubernetes changes files by turning one.
        let path: String
    }

    package let directory: String
    package let name: String
    let own: CurveKeyPair
    private let state: Mutex<State>

    static let look: Duration = .milliseconds(500)

    /// - Throws: `RPCError` that names the file and what is wrong with it.
    package init(directory: String) throws {
        self.directory = directory
        (name, own) = try KeyFile.read(directory + "/" + KeyFile.name)
        let list = try KeyList.read(Self.listPath(directory))
        state = Mutex(
            State(
                list: list, admitted: Set(list.values), stamp: Self.stamp(directory), nextLook: .now + Self.look))
    }

    /// The keys in the folder that `NEPHELE_BUS_KEYS` names; nil where it is not set.
    package static func ofEnvironment() throws -> BusKeys? {
        guard let directory = ProcessInfo.processInfo.environment["NEPHELE_BUS_KEYS"], !directory.isEmpty else {
            return nil
        }
        return try BusKeys(directory: directory)
    }

    private static func listPath(_ directory: String) -> String { directory + "/" + KeyList.name }

    private static func stamp(_ directory: String) -> Stamp? {
        let path = URL(fileURLWithPath: listPath(directory)).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return nil }
        return Stamp(
            modified: attributes[.modificationDate] as? Date ?? .distantPast,
            size: (attributes[.size] as? NSNumber)?.intValue ?? 0,
            inode: (attributes[.systemFileNumber] as? NSNumber)?.intValue ?? 0, path: path)
    }

    /// Reads the list again if it has changed; looks at most twice a second.
    /// - Returns: what is wrong with the new one.
    func refresh() -> String? {
        state.withLock { state in
            guard .now >= state.nextLook else { return nil }
            state.nextLook = .now + Self.look
            let stamp = Self.stamp(directory)
            guard stamp != state.stamp else { return nil }
            do {
                state.list = try KeyList.read(Self.listPath(directory))
                state.admitted = Set(state.list.values)
                state.stamp = stamp
                state.generation += 1
                return nil
            } catch {
                guard stamp != state.complainedOf else { return nil }
                state.complainedOf = stamp
                return "\((error as? RPCError)?.message ?? "\(error)"); the last list stays in force"
            }
        }
    }

    /// Grows with every new list.
    var generation: Int { state.withLock { $0.generation } }

    func admits(_ key: CurvePublicKey) -> Bool { state.withLock { $0.admitted.contains(key) } }

    /// The key that a server must have: that of its host, of the host's first label, or on this machine our own, since
    /// whoever asks after a service beside it (a health check) has its keys.
    /// - Throws: `RPCError` that says what to add to the list.
    func serverKey(of host: String) throws -> CurvePublicKey {
        _ = refresh()
        let list = state.withLock { $0.list }
        if let key = list[host] { return key }
        if !Loopback.isNumeric(host), let label = host.split(separator: ".").first, let key = list[String(label)] {
            return key
        }
        if Loopback.contains(host) { return own.publicKey }
        throw RPCError(
            .unauthenticated,
            "no key is known for \(host): add a line `\(host) PUBLIC-KEY` to \(Self.listPath(directory)), or make keys "
                + "with `nephele keys`", reason: "unknown_server_key", notStarted: true)
    }
}

/// Addresses of this machine alone.
enum Loopback {
    static func isNumeric(_ host: String) -> Bool {
        host.hasPrefix("[") || (host.contains(".") && host.allSatisfy { $0.isNumber || $0 == "." })
    }

    static func contains(_ host: String) -> Bool {
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "[::1]" || host == "localhost"
            || (octets.count == 4 && octets[0] == "127" && octets.allSatisfy { UInt8($0) != nil })
    }

    /// The host of `tcp://HOST:PORT` or `dns://HOST:PORT`; nil for what is neither.
    static func host(of endpoint: String) -> String? {
        guard let separator = endpoint.range(of: "://"), ["tcp", "dns"].contains(endpoint[..<separator.lowerBound]),
            let colon = endpoint.lastIndex(of: ":"), colon >= separator.upperBound
        else { return nil }
        return String(endpoint[separator.upperBound..<colon])
    }
}

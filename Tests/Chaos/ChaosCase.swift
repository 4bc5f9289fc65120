import Console
import Foundation
import GatewayClient

/// Something that befalls a running system while clients use it. Each has a system of its own.
protocol ChaosCase: Sendable {
    var name: String { get }
    /// Whether this machine can do it.
    var isAvailable: Bool { get }
    /// Too long for the short form.
    var isLong: Bool { get }

    /// Does it for so long.
    ///
    /// - Throws: what keeps it from being done; a client's errors are counted, not thrown.
    func run(for duration: Duration) async throws -> ChaosResult
}

extension ChaosCase {
    var isAvailable: Bool { true }
    var isLong: Bool { false }
}

/// One that befalls processes of one machine.
protocol LocalCase: ChaosCase {
    /// What the system is made of.
    var fleet: LocalFleet.Options { get }

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult
}

extension LocalCase {
    var fleet: LocalFleet.Options { LocalFleet.Options() }

    func run(for duration: Duration) async throws -> ChaosResult {
        try await LocalFleet.run(fleet) { try await run($0, for: duration) }
    }
}

/// A system that clients reach through a gateway.
protocol ChaosSystem: Sendable {
    /// Where the gateway listens; it may be another one than before.
    func address() throws -> String
}

extension ChaosSystem {
    func client() throws -> GatewayClient { try GatewayClient(address: address()) }
}

/// What came of a case: a row of the table, and what there is to say besides.
struct ChaosResult: Sendable {
    var requests = 0
    /// What clients saw that they must not see.
    var failures: [String] = []
    var different = 0
    var longestPause: Duration = .zero
    /// What was done, and how often.
    var events: [String: Int] = [:]
    var notes: [String] = []

    static func table(_ rows: [(name: String, result: ChaosResult)]) -> String {
        var table = Table(["case", "requests", "failures", "identical", "longest pause"])
        for (name, result) in rows {
            table.append([
                name, "\(result.requests)", "\(result.failures.count)",
                "\(result.requests - result.failures.count - result.different)",
                "\((result.longestPause / .milliseconds(10)).rounded() / 100) s",
            ])
        }
        let notes = rows.flatMap { name, result in
            let events = result.events.sorted { $0.key < $1.key }.map { "\($0.key) × \($0.value)" }
            return (events.isEmpty ? [] : ["\(name): " + events.joined(separator: ", ")])
                + result.notes.map { "\(name): \($0)" }
        }
        return (table.lines + notes).joined(separator: "\n")
    }
}

import Foundation
import Synchronization
import Testing

private let environment = ProcessInfo.processInfo.environment

/// Real processes, mixed load, and what may befall them. `Tests/Chaos/run` is the long form.
@Suite(.serialized, .timeLimit(.minutes(90))) struct ChaosTests {
    private static let all: [any ChaosCase] =
        [
            KillCase(), FreezeCase(), DrainCase(), ReloadCase(), PoisonCase(),
            OverloadCase(name: "overload-tiny", isTiny: true, deadline: nil),
            OverloadCase(name: "overload", isTiny: false, deadline: nil),
            OverloadCase(name: "overload-8s", isTiny: false, deadline: .seconds(8)), SoakCase(),
        ] + NetworkCase.all
    /// Those that are asked for, or that there is time for, on a machine that can do them.
    static let cases = all.filter { chaos in
        guard let asked = environment["NEPHELE_CHAOS_CASES"] else { return isMeasured || !chaos.isLong }
        return asked.split(separator: ",").contains(chaos.name[...])
    }
    .filter(\.isAvailable).map(\.name)
    /// Of each case.
    static let seconds = environment["NEPHELE_CHAOS_SECONDS"].flatMap { Int($0) } ?? 5

    /// Whether figures count: on a machine that is busy with other things, or with programs that are not optimised, they
    /// say nothing.
    static let isMeasured = environment["NEPHELE_CHAOS_SECONDS"] != nil

    private static let rows = Mutex<[(name: String, result: ChaosResult)]>([])

    @Test(arguments: cases) func `no client sees anything of it`(_ name: String) async throws {
        let chaos = try #require(Self.all.first { $0.name == name })
        var result = ChaosResult()
        do {
            result = try await chaos.run(for: .seconds(Self.seconds))
        } catch {
            result.failures.append("\(error)")
        }
        let outcome = result
        let finished = Self.rows.withLock { rows in
            rows.append((name, outcome))
            return rows.count == Self.cases.count ? rows : nil
        }
        if let finished { print(ChaosResult.table(finished)) }
        #expect(result.failures.isEmpty, "\(result.failures.prefix(5))")
        #expect(result.different == 0)
        #expect(result.requests > 0)
    }
}

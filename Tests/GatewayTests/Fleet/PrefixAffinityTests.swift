import Messages
import RPC
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct PrefixAffinityTests {
    private func request(_ prompt: [Int32], model: String = "llama", adapter: String = "") -> Wire.GenerateRequest {
        var request = Wire.GenerateRequest(model: model, prompt: prompt, maxTokens: 2, seed: 1)
        request.adapter = adapter
        request.ignoresEndOfText = true
        return request
    }

    private func prompt(_ beginning: Int32, count: Int, end: Int32 = 0) -> [Int32] {
        (0..<count).map { $0 < 128 ? (beginning + Int32($0)) % 256 : (end + Int32($0)) % 256 }
    }

    @Test func `prompts have a key in common as far as they fill the same pages`() throws {
        let key = try #require(PrefixAffinity.key(of: request(prompt(1, count: 200, end: 5))))
        #expect(PrefixAffinity.key(of: request(prompt(1, count: 300, end: 9))) == key)
        #expect(PrefixAffinity.key(of: request(prompt(2, count: 200))) != key)
        #expect(PrefixAffinity.key(of: request(prompt(1, count: 200), adapter: "a")) != key)
        #expect(PrefixAffinity.key(of: request(prompt(1, count: 200), model: "m")) != key)
        // A turn later, within the first pages.
        let short = PrefixAffinity.key(of: request(prompt(1, count: 40)))
        #expect(short == PrefixAffinity.key(of: request(prompt(1, count: 60))) && short != nil)
        #expect(PrefixAffinity.key(of: request(prompt(1, count: 31))) == nil)
        // A name counts alone.
        let named = PrefixAffinity.key(of: request(prompt(1, count: 200)), named: "k")
        #expect(named == PrefixAffinity.key(of: request(prompt(2, count: 50)), named: "k") && named != nil)
        #expect(named != PrefixAffinity.key(of: request(prompt(1, count: 200)), named: "l"))
        #expect(named != PrefixAffinity.key(of: request(prompt(1, count: 200), adapter: "a"), named: "k"))
    }

    @Test func `requests that begin alike go to one instance, others spread`() async throws {
        let fleet = try ScriptedFleet()
        defer { fleet.stop() }
        for name in ["a", "b", "c"] { try await fleet.start(name) }
        var used: Set<String> = []
        for beginning in Int32(0)..<12 {
            var instances: Set<String> = []
            for end in Int32(0)..<3 {
                var generation = ResumableGeneration(
                    request(prompt(beginning * 17, count: 140, end: end)), numericsID: "same",
                    CallAttempts(fleet.client, model: "llama", until: .now + .seconds(60)))
                while try await generation.next() != nil {}
                instances.insert(try #require(fleet.instances.last))
            }
            #expect(instances.count == 1)
            used.formUnion(instances)
        }
        #expect(used.count > 1)
    }
}

import Foundation
import FoundationNetworking
import Hummingbird
import Messages
import RPC
import Testing
import TokenizerService

@testable import Gateway

/// A generation whose instances come and go, without processes.
@Suite(.timeLimit(.minutes(10))) struct ResumableGenerationTests {
    private func request(maxTokens: UInt32 = 12, n: UInt32 = 1) -> Wire.GenerateRequest {
        var request = Wire.GenerateRequest(
            model: "llama", prompt: (0..<40).map { ($0 * 31 + 5) % 256 }, maxTokens: maxTokens, seed: 9)
        request.n = n
        request.ignoresEndOfText = true
        return request
    }

    private func generation(
        _ request: Wire.GenerateRequest, by fleet: ScriptedFleet, within limit: Duration = .seconds(60)
    ) -> ResumableGeneration {
        ResumableGeneration(
            request, numericsID: "same", CallAttempts(fleet.client, model: "llama", until: .now + limit))
    }

    /// The deltas of each choice in order; how choices take turns differs when some are ahead.
    private func collect(_ generation: ResumableGeneration) async throws -> [[Wire.GenerateDelta]] {
        var generation = generation
        var deltas = [[Wire.GenerateDelta]](repeating: [], count: Int(generation.request.n))
        while var delta = try await generation.next() {
            // What is in an instance's cache is its own affair.
            delta.cachedTokens = 0
            deltas[Int(delta.choice)].append(delta)
        }
        return deltas
    }

    private func expectWhole(by fleet: ScriptedFleet) async throws {
        let deltas = try await collect(generation(request(), by: fleet))
        #expect(deltas[0].count == 12 && deltas[0].last?.finishReason == "length")
    }

    private func withFleet(
        _ turns: [ScriptedFleet.Turn] = [], _ names: [String] = ["a", "b", "c"],
        _ body: (ScriptedFleet) async throws -> Void
    ) async throws {
        let fleet = try ScriptedFleet(turns)
        defer { fleet.stop() }
        for name in names { try await fleet.start(name) }
        try await body(fleet)
    }

    private func error(_ body: () async throws -> Void) async -> RPCError? {
        do {
            try await body()
            return nil
        } catch { return error as? RPCError }
    }

    @Test(arguments: [false, true])
    func `an answer is the same whenever its instances are lost, with a watermark too`(isMarked: Bool) async throws {
        var request = request(n: 2)
        if isMarked {
            request.greenList = Wire.GreenList(
                key: [UInt8](1...16), share: 16_384, delta: 3, contextWidth: 2)
        }
        request.logprobs = 2
        request.promptLogprobs = true
        request.presencePenalty = 0.7
        var expected: [[Wire.GenerateDelta]] = []
        try await withFleet { expected = try await collect(generation(request, by: $0)) }
        #expect(expected.allSatisfy { $0.count == 12 && $0.last?.finishReason == "length" })
        #expect(expected[0][0].promptLogprobs.count == 39)
        for cut in 0...24 {
            try await withFleet([.die(after: cut), .die(after: (24 - cut) / 2)]) { fleet in
                let deltas = try await collect(generation(request, by: fleet))
                #expect(deltas == expected, "lost after \(cut)")
                #expect(fleet.calls.count == (cut == 24 ? 1 : 3))
                let brought = fleet.calls.map { $0.resume.reduce(0) { $0 + $1.ids.count } }
                #expect(brought[0] == 0 && fleet.calls.allSatisfy { $0.seed == 9 && $0.maxTokens == 12 })
            }
        }
    }

    @Test func `tokens that travel together are the same ones, whenever their instances are lost`() async throws {
        var request = request(n: 2)
        request.presencePenalty = 0.7
        func whole(_ choices: [[Wire.GenerateDelta]]) -> [String] {
            choices.map { deltas in
                "\(deltas.flatMap(\.tokens)) \(deltas.flatMap { Array($0.text.utf8) }) \(deltas.last?.finishReason ?? "")"
            }
        }
        var expected: [String] = []
        try await withFleet { expected = whole(try await collect(generation(request, by: $0))) }
        request.batchingDelay = .milliseconds(1_000)
        // At least four messages: the first token of each choice and the rest of each.
        for cut in 0...3 {
            try await withFleet([.die(after: cut), .die(after: 1)]) { fleet in
                let deltas = try await collect(generation(request, by: fleet))
                #expect(whole(deltas) == expected, "lost after \(cut)")
                #expect(fleet.calls.count == 3)
            }
        }
    }

    @Test func `what an instance has not finished when it has to stop moves`() async throws {
        try await withFleet([.leave(after: 5), .leave(after: 4)]) { fleet in
            try await expectWhole(by: fleet)
            #expect(Set(fleet.instances) == ["a", "b", "c"])
            #expect(fleet.calls.map { $0.resume.first?.ids.count ?? 0 } == [0, 5, 9])
        }
    }

    @Test func `what would not begin is asked elsewhere, and a call under way is not turned away`() async throws {
        let draining = RPCError(.unavailable, "leaving", reason: "draining", notStarted: true)
        let other = RPCError(.failedPrecondition, "another", reason: "instance_mismatch", notStarted: true)
        let full = RPCError(.resourceExhausted, "full", reason: "queue_full", retryAfter: .seconds(1), notStarted: true)
        let memory = RPCError(.resourceExhausted, "no memory", retryAfter: .seconds(1))
        try await withFleet([.refuse(draining), .refuse(other), .refuse(draining), .refuse(full)]) { fleet in
            try await expectWhole(by: fleet)
            // Three say no, and are not asked twice before the others.
            #expect(Set(fleet.instances.prefix(3)) == ["a", "b", "c"] && fleet.calls.count == 5)
        }
        try await withFleet([.die(after: 4)] + .init(repeating: .refuse(full), count: 5) + [.refuse(memory)]) { fleet in
            try await expectWhole(by: fleet)
            #expect(fleet.calls.count == 8 && fleet.calls.allSatisfy { $0.crashesWithoutProgress == 0 })
        }
    }

    @Test func `a new call is refused when all are full, and what is wrong everywhere is said once`() async throws {
        let full = RPCError(.resourceExhausted, "full", reason: "queue_full", retryAfter: .seconds(1), notStarted: true)
        try await withFleet([.refuse(full), .refuse(full), .refuse(full)]) { fleet in
            let error = await error { _ = try await collect(generation(request(), by: fleet)) }
            #expect(error == full)
            #expect(Set(fleet.instances) == ["a", "b", "c"] && fleet.calls.count == 3)
        }
        let invalid = RPCError(.invalidArgument, "no", field: "top_p")
        try await withFleet([.refuse(invalid)]) { fleet in
            let error = await error { _ = try await collect(generation(request(), by: fleet)) }
            #expect(error == invalid)
            #expect(fleet.calls.count == 1)
        }
    }

    @Test func `only the same arithmetic carries on, and is waited for`() async throws {
        try await withFleet([.die(after: 3)], ["a"]) { fleet in
            var call = generation(request(), by: fleet)
            var texts = [try await call.next()?.text]
            try await fleet.start("stranger", numericsID: "another")
            for _ in 0..<2 { texts.append(try await call.next()?.text) }
            let waiting = call
            async let rest = collect(waiting)
            try await fleet.client.waitUntil { $0.count == 1 }
            try await fleet.start("twin")
            let count = try await rest[0].count
            #expect(count == 9)
            #expect(fleet.instances == ["a", "twin"])
        }
        // Nothing received yet: any will do.
        try await withFleet([.vanish], ["a"]) { fleet in
            try await fleet.start("stranger", numericsID: "another")
            var call = ResumableGeneration(
                request(), numericsID: "same", CallAttempts(fleet.client, model: "llama", until: .now + .seconds(60)))
            let first = try await call.next()
            #expect(first != nil && fleet.instances == ["a", "stranger"])
            #expect(call.numericsID == "another")
        }
    }

    @Test func `with no instance left a call ends with its deadline`() async throws {
        try await withFleet([.die(after: 3)], ["a"]) { fleet in
            let start = ContinuousClock.now
            let error = await error { _ = try await collect(generation(request(), by: fleet, within: .seconds(1))) }
            #expect(error?.code == .deadlineExceeded && error?.reason == "deadline")
            #expect(ContinuousClock.now - start >= .seconds(1))
        }
        // The instance is told, so that its engine stops too.
        try await withFleet([.hang], ["a"]) { fleet in
            let error = await error { _ = try await collect(generation(request(), by: fleet, within: .seconds(1))) }
            #expect(error?.code == .deadlineExceeded)
            try await expectWhole(by: fleet)
        }
    }

    @Test func `a call that takes its instances with it fails with the third`() async throws {
        try await withFleet([.die(after: 0), .die(after: 0), .die(after: 0)], ["a", "b", "c", "d"]) { fleet in
            let error = await error { _ = try await collect(generation(request(), by: fleet)) }
            #expect(error == .lostTooOften)
            #expect(fleet.calls.map(\.crashesWithoutProgress) == [0, 1, 2])
        }
        // A token in between begins the count anew.
        let turns: [ScriptedFleet.Turn] = [
            .die(after: 0), .die(after: 0), .die(after: 2), .die(after: 0), .die(after: 0),
        ]
        try await withFleet(turns, ["a", "b", "c", "d", "e", "f"]) { fleet in
            try await expectWhole(by: fleet)
            #expect(fleet.calls.map(\.crashesWithoutProgress) == [0, 1, 2, 0, 1, 2])
        }
    }

    @Test func `a suspect that waited for its turn is not blamed`() async throws {
        try await withFleet([.vanish, .vanish, .vanish, .vanish], ["a", "b", "c", "d", "e"]) { fleet in
            try await expectWhole(by: fleet)
            #expect(fleet.calls.map(\.crashesWithoutProgress) == [0, 1, 1, 1, 1])
        }
        // Unless that is always so: then it kills before anything is computed.
        let names = (0..<14).map { "\($0)" }
        try await withFleet(names.map { _ in .vanish }, names) { fleet in
            let error = await error { _ = try await collect(generation(request(), by: fleet)) }
            #expect(error == .lostTooOften && fleet.calls.count == 13)
        }
    }

    @Test func `a call that kills takes none of those beside it along`() async throws {
        try await withFleet([], ["a"]) { fleet in
            let mate = request(maxTokens: 150, n: 2)
            let expected = try await collect(generation(mate, by: fleet))
            fleet.poison(666)
            var killer = request()
            killer.seed = 666
            let poisoned = generation(killer, by: fleet)
            let mates = (0..<6).map { _ in generation(mate, by: fleet) }
            let outcome = await withTaskGroup(of: Bool.self) { group in
                for mate in mates { group.addTask { (try? await collect(mate)) == expected } }
                let error = await error { _ = try await collect(poisoned) }
                for await isWhole in group { #expect(isWhole) }
                return error
            }
            #expect(outcome == .lostTooOften)
            #expect(fleet.calls.filter { $0.seed == 666 }.map(\.crashesWithoutProgress) == [0, 1, 2])
            // A mate's token may be on its way through the script when the instance dies: then that loss counts too,
            // and the next one does not. That those who wait for their turn are not blamed is a test of its own.
            // They were there when it died.
            #expect(fleet.calls.count > 10)
        }
    }

    @Test(arguments: [
        [Wire.GenerateDelta(choice: 0, index: 1, tokens: [5], text: "a")],
        [Wire.GenerateDelta(choice: 7, index: 0, tokens: [5], text: "")],
        [Wire.GenerateDelta(choice: 0, index: 0, tokens: [5], text: "a", textOffset: 3)],
        [
            Wire.GenerateDelta(choice: 0, index: 0, tokens: [5], text: "a"),
            Wire.GenerateDelta(choice: 0, index: 0, tokens: [5], text: "a"),
        ],
    ]) func `deltas that do not follow each other are not shown`(deltas: [Wire.GenerateDelta]) async throws {
        try await withFleet([.say(deltas)], ["a"]) { fleet in
            let error = await error { _ = try await collect(generation(request(), by: fleet)) }
            #expect(error?.code == .internalError && error?.reason == "out_of_order")
        }
    }

    // MARK: Over HTTP

    private func post(
        _ fleet: ScriptedFleet, _ body: [String: Any], headers: [String: String] = [:],
        requestLimit: Int = 64
    ) async throws -> ServedAnswer {
        let data = try JSONSerialization.data(withJSONObject: body)
        return try await fleet.withTokenizer { services in
            let gateway = Gateway(
                fleet: services, routing: try RoutingSource(file: nil), filters: try FilterSet(standard: "off"),
                requestLimit: requestLimit)
            return try await withServed(gateway) {
                try await postServed(data, to: "/v1/completions", port: $0, headers: headers)
            }
        }
    }

    private static var body: [String: Any] {
        [
            "model": "llama", "prompt": [72, 101, 108], "max_tokens": 10, "seed": 3, "ignore_eos": true, "n": 2,
            "logprobs": 1,
        ]
    }

    private func choices(_ body: String) throws -> String {
        let json = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
        let choices = try #require(json?["choices"])
        return String(
            decoding: try JSONSerialization.data(withJSONObject: choices, options: .sortedKeys), as: UTF8.self)
    }

    @Test func `beyond the gateway's limit of requests the next is told to come again`() async throws {
        try await withFleet { fleet in
            let answer = try await post(fleet, Self.body, requestLimit: 0)
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "1" && answer.headers["x-request-id"]?.hasPrefix("req_") == true)
            #expect(try await post(fleet, Self.body, requestLimit: 1).status == 200)
        }
    }

    @Test func `the client sees nothing of a lost instance, whole or streamed`() async throws {
        var expected = ""
        try await withFleet { expected = try choices(try await post($0, Self.body).body) }
        try await withFleet([.die(after: 7), .die(after: 0)]) { fleet in
            let reply = try await post(fleet, Self.body)
            #expect(reply.status == 200 && fleet.calls.count == 3)
            #expect(try choices(reply.body) == expected)
        }
        let streamed = Self.body.merging(["stream": true]) { $1 }
        func events(_ text: String) -> [String] {
            text.components(separatedBy: "\n\n").map {
                $0.replacing(/"(id|created)":("[^"]*"|\d+),/, with: "")
            }
        }
        var undisturbed: [String] = []
        try await withFleet { undisturbed = events(try await post($0, streamed).body) }
        try await withFleet([.die(after: 7), .die(after: 0)]) { fleet in
            let reply = try await post(fleet, streamed)
            #expect(events(reply.body).sorted() == undisturbed.sorted() && fleet.calls.count == 3)
            #expect(events(reply.body).suffix(2) == ["data: [DONE]", ""])
        }
    }

    @Test func `who waits for the whole answer is patient, who reads a stream is not`() async throws {
        try await withFleet { fleet in
            let whole = try await post(fleet, Self.body)
            let streamed = try await post(fleet, Self.body.merging(["stream": true]) { $1 })
            #expect(whole.status == 200 && streamed.status == 200)
            #expect(fleet.calls.map { $0.batchingDelay > .zero } == [true, false])
        }
    }

    @Test func `a stream's call that is made again belongs to the same request`() async throws {
        let streamed = Self.body.merging(["stream": true]) { $1 }
        try await withFleet([.die(after: 7), .die(after: 0)]) { fleet in
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let reply = try await post(fleet, streamed, headers: ["x-request-id": "mine", "traceparent": trace])
            #expect(reply.headers["x-request-id"] == "mine" && reply.headers["traceparent"] == trace)
            #expect(fleet.metadata.map { $0["x-request-id"] } == ["mine", "mine", "mine"])
            let parents = fleet.metadata.compactMap { $0["traceparent"] }
            // Each call is a span of its own in the client's trace.
            #expect(parents.count == 3 && Set(parents).count == 3)
            #expect(parents.allSatisfy { $0.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") && $0.hasSuffix("-01") })
        }
    }

    @Test func `a poison request is answered with 502, and its client's library does not try again`() async throws {
        try await withFleet([.die(after: 0), .die(after: 0), .die(after: 0)]) { fleet in
            let reply = try await post(fleet, Self.body)
            #expect(reply.status == 502 && reply.headers["x-should-retry"] == "false")
            #expect(reply.body.contains(#""code":"crashes_without_progress""#))
            #expect(reply.headers["x-request-id"]?.hasPrefix("req_") == true)
        }
    }

    @Test func `an answer whose revision is gone for good is given up, long before its deadline`() async throws {
        try await withFleet([.die(after: 3)], ["a"]) { fleet in
            var generation = ResumableGeneration(
                request(), numericsID: "same",
                CallAttempts(
                    fleet.client, model: "llama", until: .now + .seconds(600), revisionWait: .milliseconds(200)))
            for _ in 0..<3 { #expect(try await generation.next() != nil) }
            // Another one takes the place of the only replica; nobody goes on with the same numbers.
            try await fleet.start("b", numericsID: "other")
            let error = await error { while try await generation.next() != nil {} }
            #expect(error?.reason == "revision_gone" && error.map { APIError($0).status } == .serviceUnavailable)
            #expect(fleet.instances == ["a"])
        }
    }

    @Test func `an answer whose replica starts again goes on, though another revision is there`() async throws {
        try await withFleet([.die(after: 3)], ["a"]) { fleet in
            var generation = generation(request(), by: fleet)
            for _ in 0..<3 { #expect(try await generation.next() != nil) }
            try await fleet.start("b", numericsID: "other")
            try await fleet.start("c")
            var count = 3
            while try await generation.next() != nil { count += 1 }
            #expect(count == 12 && fleet.instances == ["a", "c"])
        }
    }

    @Test func `X-Request-Timeout-Ms bounds a request`() async throws {
        try await withFleet([.hang]) { fleet in
            let reply = try await post(fleet, Self.body, headers: ["X-Request-Timeout-Ms": "300"])
            #expect(reply.status == 504 && reply.body.contains(#""code":"timeout""#))
            #expect(reply.headers["x-request-id"]?.hasPrefix("req_") == true)
            for bad in ["0", "-5", "soon", "1e3", "99999999999"] {
                let reply = try await post(fleet, Self.body, headers: ["X-Request-Timeout-Ms": bad])
                #expect(reply.status == 400 && reply.body.contains(#""param":"X-Request-Timeout-Ms""#))
            }
            // On a machine that is busy it may not even have come that far.
            #expect(fleet.calls.count <= 1)
        }
    }
}

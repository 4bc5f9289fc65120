import Accounts
import Foundation
import Gateway
import Messages
import RPC
import Testing
import ZeroMQTransport

/// Gateways without a file of accounts, before the one that has it.
@Suite(.timeLimit(.minutes(5)), .serialized) struct LeasedAccountsTests {
    private static let chat =
        #"{"model":"llama","max_tokens":4,"seed":3,"messages":[{"role":"user","content":"hi"}]}"#
    private static let days = "2000-01-01"..."2999-12-31"

    /// A file of accounts, who has it, and the server that others ask.
    private struct Holder {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lease-" + UUID().uuidString)
        let store: AccountStore
        let server: RPCServer
        let address: String

        init() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            store = try AccountStore(file: folder.appendingPathComponent("accounts.sqlite").path)
            address = "ipc://\(folder.path)/accounts.sock"
            server = try Self.server(store, at: address)
            try server.start()
        }

        static func server(_ store: AccountStore, at address: String) throws -> RPCServer {
            RPCServer(
                ServiceDescription(service: "accounts"), services: [try #require(AccountKeeper(store: store).service)],
                transports: [try ZeroMQTransport.shared().server(address)])
        }

        func keeper(recording: Bool = false) throws -> AccountKeeper {
            AccountKeeper(client: try RPCClient(target: address), isRecording: recording)
        }

        func end() {
            server.stop()
            try? FileManager.default.removeItem(at: folder)
        }
    }

    @Test func `gateways share a key's limits, whichever its requests come to`() async throws {
        let holder = try Holder()
        defer { holder.end() }
        let key = try await holder.store.makeKey(name: "a", limits: .init(requestsPerMinute: 4)).key.secret
        let (one, other) = (try holder.keeper(), try holder.keeper())
        let path = "/v1/chat/completions"
        try await withWholeGateway(accounts: one) { first in
            try await withWholeGateway(accounts: other) { second in
                #expect(try await post(first, path, Self.chat, key: "nph-nobody's").status == 401)
                let start = ContinuousClock.now
                var passed = 0
                for number in 0..<40 {
                    let answer = try await post(number % 2 == 0 ? first : second, path, Self.chat, key: key)
                    guard answer.status == 200 else {
                        #expect(answer.status == 429)
                        continue
                    }
                    passed += 1
                    #expect(answer.headers["x-ratelimit-limit-requests"] == "4")
                }
                // Four at once, and one more for each quarter of a minute that a busy machine took.
                let more = Int((ContinuousClock.now - start) / .seconds(15))
                #expect(passed >= 4 && passed <= 4 + more)
            }
        }
    }

    @Test func `a slice that nobody uses goes back`() async throws {
        let holder = try Holder()
        defer { holder.end() }
        let key = try await holder.store.makeKey(name: "a", limits: .init(requestsPerMinute: 120)).key.secret
        let keeper = try holder.keeper()
        // One request takes a slice of five: itself and two seconds' worth.
        try await withWholeGateway(accounts: keeper) { client in
            let answer = try await post(client, "/v1/chat/completions", Self.chat, key: key)
            #expect(answer.headers["x-ratelimit-remaining-requests"] == "119")
        }
        // It ends: what it had left is given back.
        let ending = Task { await keeper.run() }
        ending.cancel()
        await ending.value
        try await withWholeGateway(accounts: try holder.keeper()) { client in
            let answer = try await post(client, "/v1/chat/completions", Self.chat, key: key)
            let remaining = try #require(answer.headers["x-ratelimit-remaining-requests"].flatMap { Int($0) })
            #expect(remaining >= 118)
        }
    }

    @Test func `what an answer did not use of its estimate goes back, though its slice went before`() async throws {
        let holder = try Holder()
        defer { holder.end() }
        let account = try await holder.store.makeKey(name: "a", limits: .init(tokensPerMinute: 600)).account.id
        func remaining() async throws -> Int {
            let asking = LeasedAccounts(try RPCClient(target: holder.address))
            let answer = await asking.take(1, .tokens, of: account, perMinute: 600)
            await asking.tidy(isLast: true)
            return answer.remaining
        }
        let accounts = LeasedAccounts(try RPCClient(target: holder.address))
        #expect(await accounts.take(300, .tokens, of: account, perMinute: 600).isAllowed)
        await accounts.tidy(isLast: true)
        // A minute's 600 come back at 10 a second.
        #expect((299...350).contains(try await remaining()))
        accounts.settle(200, .tokens, of: account, perMinute: 600)
        await accounts.tidy(isLast: true)
        #expect((498...560).contains(try await remaining()))
    }

    @Test func `usage, prices, recordings and feedback reach the file`() async throws {
        let holder = try Holder()
        defer { holder.end() }
        try await holder.store.setPrice(Price(model: "llama", perMillionCompletionTokens: 1e6))
        let key = try await holder.store.makeKey(name: "a", limits: .init(spendingPerDay: 3)).key.secret
        let keeper = try holder.keeper(recording: true)
        try await withWholeGateway(accounts: keeper) { client in
            let answer = try await post(client, "/v1/chat/completions", Self.chat, key: key)
            #expect(answer.status == 200)
            let id = try #require(try json(answer.body)["id"] as? String)
            // It is written down after the answer is out; before that, feedback finds nothing recorded.
            var isRecorded = false
            while !isRecorded {
                let judged = try await post(client, "/v1/feedback", #"{"id":"\#(id)","rating":1}"#, key: key)
                isRecorded = try json(judged.body)["recorded"] as? Bool ?? false
            }
            var rows: [[String: Any]] = []
            while rows.isEmpty {
                let usage = try await client.execute(uri: "/v1/usage", method: "GET", key: key)
                rows = try #require(try json(usage.body)["data"] as? [[String: Any]])
            }
            #expect(rows[0]["completion_tokens"] as? Int == 4 && rows[0]["cost"] as? Double == 4)
            #expect(rows[0]["key"] as? String == "a")
            // More than 3 are spent: the key is looked up again within a second.
            var status = 200
            while status == 200 { status = try await post(client, "/v1/chat/completions", Self.chat, key: key).status }
            #expect(status == 429)
        }
    }

    @Test func `while the holder is away known keys go on, counted here, and nothing used is lost`() async throws {
        let holder = try Holder()
        defer { holder.end() }
        let key = try await holder.store.makeKey(name: "a", limits: .init(requestsPerMinute: 3)).key.secret
        let stranger = try await holder.store.makeKey(name: "b").key.secret
        let keeper = try holder.keeper()
        try await withWholeGateway(accounts: keeper) { client in
            let path = "/v1/chat/completions"
            #expect(try await post(client, path, Self.chat, key: key).status == 200)
            holder.server.stop()
            // Nobody can tell whose this is.
            #expect(try await post(client, path, Self.chat, key: stranger).status == 503)
            // The first may have waited; nobody waits for one who is known to be away, however long.
            _ = try await post(client, path, Self.chat, key: stranger)
            var longest = Duration.zero
            for _ in 0..<30 {
                let start = ContinuousClock.now
                #expect(try await post(client, path, Self.chat, key: stranger).status == 503)
                longest = max(longest, .now - start)
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(longest < .milliseconds(2_500))
            var statuses: [Int] = []
            for _ in 0..<5 { statuses.append(try await post(client, path, Self.chat, key: key).status) }
            #expect(statuses.first == 200 && statuses.last == 429)
        }
        // Back again.
        let back = try Holder.server(holder.store, at: holder.address)
        try back.start()
        defer { back.stop() }
        var requests = 0
        while requests < 2 {
            // It is asked again after a moment.
            try await Task.sleep(for: .milliseconds(50))
            await keeper.flush()
            requests = try await holder.store.usage(days: Self.days).reduce(0) { $0 + $1.usage.requests }
        }
    }
}

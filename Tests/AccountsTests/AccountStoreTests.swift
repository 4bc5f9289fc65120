import Accounts
import Foundation
import Testing

@Suite struct AccountStoreTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("accounts-" + UUID().uuidString)
    private let store: AccountStore
    private var file: String { folder.appendingPathComponent("accounts.sqlite").path }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        store = try AccountStore(file: folder.appendingPathComponent("accounts.sqlite").path)
    }

    private func done() { try? FileManager.default.removeItem(at: folder) }

    @Test func `a key opens what it was made for until it is revoked, and its secret is not kept`() async throws {
        defer { done() }
        let limits = Account.Limits(requestsPerMinute: 3, tokensPerMinute: 1_000, spendingPerDay: 0.5)
        let (key, account) = try await store.makeKey(name: "web", models: ["llama*"], limits: limits, filter: "strict")
        #expect(key.secret.hasPrefix("nph-") && key.secret.count == 47)
        #expect(try await store.account(digest: APIKey.digest(of: key.secret)) == account)
        #expect(account.allows(model: "llama-3") && !account.allows(model: "gpt2"))
        #expect(try await store.account(digest: APIKey.digest(of: key.secret + "x")) == nil)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let bytes = try Data(contentsOf: folder.appendingPathComponent(name))
            #expect(bytes.firstRange(of: Data(key.secret.utf8)) == nil, "\(name)")
        }
        await #expect(throws: AccountsError.self) { try await store.makeKey(name: "web") }
        try await store.revokeKey(name: "web")
        #expect(try await store.account(digest: APIKey.digest(of: key.secret)) == nil)
        await #expect(throws: AccountsError.self) { try await store.revokeKey(name: "web") }
        _ = try await store.makeKey(name: "web")
        #expect(try await store.accounts().count == 1)
        #expect(try await store.accounts(includingRevoked: true).count == 2)
    }

    @Test func `the file is its owner's only, and another process sees what one wrote`() async throws {
        defer { done() }
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let (key, _) = try await store.makeKey(name: "a")
        let other = try AccountStore(file: file)
        #expect(try await other.account(digest: APIKey.digest(of: key.secret))?.name == "a")
    }

    @Test func `usage adds up by day, key and model, and is priced`() async throws {
        defer { done() }
        let (_, first) = try await store.makeKey(name: "first")
        let (_, second) = try await store.makeKey(name: "second")
        let price = Price(model: "m", perMillionPromptTokens: 1, perMillionCompletionTokens: 4, perPicture: 0.5)
        try await store.setPrice(price)
        #expect(try await store.prices() == ["m": price])
        var usage = Consumption(requests: 1, promptTokens: 1_000_000, completionTokens: 500_000, pictures: 2)
        usage.cost = price.cost(of: usage)
        #expect(usage.cost == 4)
        for _ in 0..<2 { try await store.add([.init(key: first.id, model: "m", usage: usage)], on: "2026-11-25") }
        try await store.add([.init(key: second.id, model: "n", usage: usage)], on: "2026-11-24")
        #expect(try await store.spending(key: first.id, on: "2026-11-25") == 8)
        #expect(try await store.spending(key: first.id, on: "2026-11-24") == 0)
        let rows = try await store.usage(days: "2026-11-01"..."2026-11-30")
        #expect(rows.map(\.key) == ["first", "second"])
        #expect(rows[0].usage.requests == 2 && rows[0].usage.completionTokens == 1_000_000)
        #expect(try await store.usage(key: second.id, days: "2026-11-25"..."2026-11-25").isEmpty)
    }

    @Test func `feedback goes with the answer that it judges, and corrections are exported for training`() async throws
    {
        defer { done() }
        for number in 0..<3 {
            try await store.record(
                Recording(
                    id: "chatcmpl-\(number)", key: nil, model: "m",
                    turns: [.init(role: "user", content: "问题\(number) 'quoted'")], answer: "answer \(number)",
                    isCut: number < 2))
        }
        #expect(try await store.add(Feedback(answerID: "chatcmpl-0", key: nil, rating: -1, correction: "better")))
        #expect(try await store.add(Feedback(answerID: "chatcmpl-1", key: nil, rating: -1)))
        #expect(try await store.add(Feedback(answerID: "chatcmpl-1", key: nil, rating: 1)))
        #expect(try await !store.add(Feedback(answerID: "chatcmpl-9", key: nil, rating: 1)))
        var all: [TrainingExample] = []
        try await store.exportTraining { all.append($0) }
        #expect(all.map(\.messages.last?.content) == ["better", "answer 1", "answer 2"])
        #expect(all[0].rejected == "answer 0" && all[0].messages[0].content == "问题0 'quoted'")
        #expect(all.map(\.rating) == [-1, 1, nil])
        // A correction is whole.
        #expect(all.map(\.messages.last?.ends) == [nil, false, nil])
        #expect(try await store.ratedRecordings().map(\.isCut) == [true, true])
        var good: [TrainingExample] = []
        try await store.exportTraining(rating: 1) { good.append($0) }
        #expect(good == [all[1]])
    }

    @Test func `only the latest recordings stay`() async throws {
        defer { done() }
        for number in 0..<10 {
            try await store.record(Recording(id: "\(number)", key: nil, model: "m", turns: [], answer: ""), limit: 4)
        }
        var count = 0
        try await store.exportTraining { _ in count += 1 }
        #expect(count == 4)
    }

    @Test func `a file that is no database is refused by name`() async throws {
        defer { done() }
        let other = folder.appendingPathComponent("text").path
        try Data("no database, but long enough to be read as one would be".utf8).write(to: URL(fileURLWithPath: other))
        #expect(throws: AccountsError.self) { try AccountStore(file: other) }
        #expect(throws: AccountsError.self) { try AccountStore(file: folder.path + "/nowhere/accounts.sqlite") }
    }

    @Test func `what a user who opted out has said is marked, and deleted where they ask for it`() async throws {
        defer { done() }
        let (first, second) = (
            try await store.makeKey(name: "first").account.id, try await store.makeKey(name: "second").account.id
        )
        for (id, key) in [("a", first), ("b", second)] {
            try await store.record(
                Recording(id: id, key: key, model: "m", turns: [.init(role: "user", content: id)], answer: "x"))
            try await store.add(Feedback(answerID: id, key: key, rating: -1))
        }
        // The latest judgement counts, in its place.
        try await store.add(Feedback(answerID: "a", key: first, rating: 1, correction: "y"))
        try await store.setOptOut(true, name: "second")
        var rated = try await store.ratedRecordings()
        #expect(rated.map(\.rating) == [-1, 1] && rated.map(\.isOptedOut) == [true, false])
        #expect(rated.map(\.number) == [2, 3] && rated[1].correction == "y")
        #expect(try await store.lastFeedback() == 3)
        #expect(try await store.ratedRecordings(after: 2).map(\.number) == [3])
        try await store.setOptOut(false, name: "second")
        #expect(try await store.ratedRecordings().allSatisfy { !$0.isOptedOut })
        #expect(try await store.deleteRecordings(name: "second") == 1)
        rated = try await store.ratedRecordings()
        #expect(rated.map(\.number) == [3])
        await #expect(throws: AccountsError.self) { try await store.setOptOut(true, name: "nobody") }
    }
}
